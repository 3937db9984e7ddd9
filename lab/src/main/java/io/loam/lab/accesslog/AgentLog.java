package io.loam.lab.accesslog;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/// The access log of one node's agent from a moment on: one line per connection that ended, with its fields.
///
/// From a moment on, because what came before it can look the same: the kernel gives out the port of a connection
/// again as soon as it has ended.
public final class AgentLog {
    private static final Pattern FIELD = Pattern.compile("([a-z_.]+)=(?:\"((?:[^\"\\\\]++|\\\\.)*)\"|(\\S+))");

    private final Path file;
    private final long fromByte;

    private AgentLog(Path file, long fromByte) {
        this.file = file;
        this.fromByte = fromByte;
    }

    /// What the agent is going to write from now on.
    public static AgentLog fromNow(Path file) throws IOException {
        return new AgentLog(file, Files.size(file));
    }

    /// The first connection with these fields, in the order in which they ended.
    public Optional<Map<String, String>> find(Predicate<Map<String, String>> wanted) throws IOException {
        return entries().stream().filter(wanted).findFirst();
    }

    /// The fields of each connection; texts without their quotes.
    public List<Map<String, String>> entries() throws IOException {
        return text().lines()
                .filter(line -> line.contains("\taccess\t"))
                .map(AgentLog::fields)
                .toList();
    }

    /// Everything the agent has printed since then, its other lines too.
    public String text() throws IOException {
        try (var log = new RandomAccessFile(file.toFile(), "r")) {
            log.seek(fromByte);
            var bytes = new byte[Math.toIntExact(Math.max(0, log.length() - fromByte))];
            log.readFully(bytes);
            return new String(bytes, StandardCharsets.UTF_8);
        }
    }

    static Map<String, String> fields(String line) {
        var fields = new HashMap<String, String>();
        var matcher = FIELD.matcher(line);
        while (matcher.find()) {
            var quoted = matcher.group(2);
            fields.put(matcher.group(1), quoted != null ? quoted : matcher.group(3));
        }
        return Map.copyOf(fields);
    }
}
