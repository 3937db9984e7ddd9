package io.loam.lab.demo;

import java.io.IOException;
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
final class AgentLog {
    private static final Pattern FIELD = Pattern.compile("([a-z_.]+)=(?:\"((?:[^\"\\\\]++|\\\\.)*)\"|(\\S+))");

    private final Path file;
    private final long fromByte;

    private AgentLog(Path file, long fromByte) {
        this.file = file;
        this.fromByte = fromByte;
    }

    /// What the agent is going to write from now on.
    static AgentLog fromNow(Path file) throws IOException {
        return new AgentLog(file, Files.size(file));
    }

    Optional<Map<String, String>> find(Predicate<Map<String, String>> wanted) throws IOException {
        return lines().stream().map(AgentLog::fields).filter(wanted).findFirst();
    }

    private List<String> lines() throws IOException {
        var bytes = Files.readAllBytes(file);
        var from = (int) Math.min(fromByte, bytes.length);
        return new String(bytes, from, bytes.length - from, StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.contains("\taccess\t"))
                .toList();
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
