package io.loam.it.bench;

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

/// The access log of one node's agent from a moment on: one line per connection that ended.
public final class AccessLog {
    private static final Pattern FIELD = Pattern.compile("([a-z_.]+)=(?:\"((?:[^\"\\\\]++|\\\\.)*)\"|(\\S+))");

    private final Path file;
    private final long fromByte;

    private AccessLog(Path file, long fromByte) {
        this.file = file;
        this.fromByte = fromByte;
    }

    static AccessLog fromNow(Path file) throws IOException {
        return new AccessLog(file, Files.size(file));
    }

    /// Everything the agent has printed since then.
    public String text() throws IOException {
        var bytes = Files.readAllBytes(file);
        var from = (int) Math.min(fromByte, bytes.length);
        return new String(bytes, from, bytes.length - from, StandardCharsets.UTF_8);
    }

    public List<Map<String, String>> entries() throws IOException {
        return text().lines()
                .filter(line -> line.contains("\taccess\t"))
                .map(AccessLog::fields)
                .toList();
    }

    /// Waits for a connection with these fields.
    public Map<String, String> await(Predicate<Map<String, String>> wanted) throws Exception {
        return MeshBench.awaitValue("line in the access log " + file, () -> find(wanted));
    }

    public Optional<Map<String, String>> find(Predicate<Map<String, String>> wanted) throws IOException {
        return entries().stream().filter(wanted).findFirst();
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
