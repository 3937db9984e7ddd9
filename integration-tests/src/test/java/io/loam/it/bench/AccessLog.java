package io.loam.it.bench;

import io.loam.lab.accesslog.AgentLog;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/// The access log of one node's agent from a moment on, for tests that wait for a line.
public final class AccessLog {
    private final Path file;
    private final AgentLog log;

    private AccessLog(Path file, AgentLog log) {
        this.file = file;
        this.log = log;
    }

    static AccessLog fromNow(Path file) throws IOException {
        return new AccessLog(file, AgentLog.fromNow(file));
    }

    public String text() throws IOException {
        return log.text();
    }

    public List<Map<String, String>> entries() throws IOException {
        return log.entries();
    }

    /// Waits for a connection with these fields.
    public Map<String, String> await(Predicate<Map<String, String>> wanted) throws Exception {
        return MeshBench.awaitValue("line in the access log " + file, () -> find(wanted));
    }

    public Optional<Map<String, String>> find(Predicate<Map<String, String>> wanted) throws IOException {
        return log.find(wanted);
    }
}
