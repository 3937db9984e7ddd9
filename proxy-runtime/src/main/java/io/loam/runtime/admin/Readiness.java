package io.loam.runtime.admin;

import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Supplier;

/// What still has to happen before this proxy may be given work. Tasks may come back: losing the privileged half
/// makes the proxy unready again.
public final class Readiness {
    private final Set<String> pending = ConcurrentHashMap.newKeySet();
    private final Map<String, Supplier<String>> remarks = new ConcurrentSkipListMap<>();

    /// Any thread.
    public void pending(String task) {
        pending.add(task);
    }

    /// Any thread. Does nothing if the task was not pending.
    public void done(String task) {
        pending.remove(task);
    }

    /// Something that whoever asks should know, ready or not. Any thread.
    ///
    /// @param text one line; asked for with each answer
    public void remark(String subject, Supplier<String> text) {
        remarks.put(subject, text);
    }

    /// Any thread. Does nothing if there is no such remark.
    public void unremark(String subject) {
        remarks.remove(subject);
    }

    public boolean isReady() {
        return pending.isEmpty();
    }

    /// The answer of `/healthz/ready`.
    public HttpReply reply() {
        var open = new TreeSet<>(pending);
        var said = new StringBuilder();
        remarks.values().forEach(remark -> said.append(remark.get()).append('\n'));
        return open.isEmpty()
                ? HttpReply.text(200, "ready\n" + said)
                : HttpReply.text(500, "not ready, pending: " + String.join(", ", open) + "\n" + said);
    }
}
