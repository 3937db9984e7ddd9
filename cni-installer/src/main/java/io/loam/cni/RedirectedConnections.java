package io.loam.cni;

import io.loam.protocol.linux.Netns;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/// Looks for connections of the proxy in a pod's namespace: those that would break with the last rules.
final class RedirectedConnections implements AutoCloseable {
    private static final List<String> TABLES = List.of("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6");

    /// Entering a namespace takes a platform thread; the pods' own threads are virtual.
    private final ExecutorService entering = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("cni-netns").factory());

    /// @param netns stays the caller's
    boolean any(Netns netns) throws IOException, InterruptedException {
        try {
            return entering.submit(() -> netns.call(RedirectedConnections::anyHere))
                    .get();
        } catch (ExecutionException e) {
            throw new IOException("cannot list the connections in " + netns, e.getCause());
        }
    }

    private static boolean anyHere() throws IOException {
        for (var table : TABLES) {
            var file = Path.of(table);
            if (Files.exists(file) && Files.readAllLines(file).stream().anyMatch(RedirectedConnections::isOurs)) {
                return true;
            }
        }
        return false;
    }

    /// proc(5), /proc/net/tcp: `sl local_address:port rem_address:port st …`, numbers in hexadecimal.
    static boolean isOurs(String line) {
        var fields = line.strip().split("\\s+");
        if (fields.length < 4 || !fields[0].endsWith(":")) {
            return false;
        }
        var port = fields[1].substring(fields[1].lastIndexOf(':') + 1);
        return switch (fields[3]) {
            case "06", "07", "0A" -> false; // TIME_WAIT, CLOSE, LISTEN
            default ->
                switch (port) {
                    case "3A99", "3A9E", "3AA0", "3ACD" -> true; // 15001, 15006, 15008, 15053
                    default -> false;
                };
        };
    }

    @Override
    public void close() {
        entering.shutdownNow();
    }
}
