package io.loam.lab;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/// Finds a connection in the access log of a node's agent.
final class AccessLogLine {
    private static final Pattern FIELD = Pattern.compile("([a-z_.]+)=(?:\"((?:[^\"\\\\]++|\\\\.)*)\"|(\\S+))");

    /// More than agents write about the connections of some seconds on a busy lab.
    private static final int TAIL_BYTES = 1 << 20;

    private static final Duration POLL = Duration.ofMillis(20);

    private AccessLogLine() {}

    /// Waits for the line of a connection that has ended.
    ///
    /// @param source `ip:port` of the application's end
    /// @return the fields; empty if there is no such line in time
    static Optional<Map<String, String>> await(Path log, String source, Duration atMost) throws IOException {
        long deadline = System.nanoTime() + atMost.toNanos();
        while (true) {
            var found = find(log, source);
            if (found.isPresent() || System.nanoTime() - deadline > 0) {
                return found;
            }
            try {
                Thread.sleep(POLL);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
    }

    /// As {@link #await}, of a line that is there.
    static Optional<Map<String, String>> find(Path log, String source) throws IOException {
        try (var file = new RandomAccessFile(log.toFile(), "r")) {
            var bytes = new byte[(int) Math.min(TAIL_BYTES, file.length())];
            file.seek(file.length() - bytes.length);
            file.readFully(bytes);
            return new String(bytes, StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> line.contains("\taccess\t") && line.contains("src.addr=" + source + " "))
                    .map(AccessLogLine::fields)
                    .filter(fields -> "outbound".equals(fields.get("direction")))
                    .reduce((_, last) -> last);
        }
    }

    private static Map<String, String> fields(String line) {
        var fields = new HashMap<String, String>();
        var matcher = FIELD.matcher(line);
        while (matcher.find()) {
            var quoted = matcher.group(2);
            fields.put(matcher.group(1), quoted != null ? quoted : matcher.group(3));
        }
        return Map.copyOf(fields);
    }
}
