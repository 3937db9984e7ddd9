package io.loam.runtime.admin;

import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/// What still has to happen before this proxy may be given work. Tasks may come back: losing the privileged half
/// makes the proxy unready again.
public final class Readiness {
    private final Set<String> pending = ConcurrentHashMap.newKeySet();

    /// Any thread.
    public void pending(String task) {
        pending.add(task);
    }

    /// Any thread. Does nothing if the task was not pending.
    public void done(String task) {
        pending.remove(task);
    }

    public boolean isReady() {
        return pending.isEmpty();
    }

    /// The answer of `/healthz/ready`.
    public HttpReply reply() {
        var open = new TreeSet<>(pending);
        return open.isEmpty()
                ? HttpReply.text(200, "ready\n")
                : HttpReply.text(500, "not ready, pending: " + String.join(", ", open) + "\n");
    }
}
