package io.loam.runtime.accesslog;

import io.loam.runtime.admin.HttpReply;
import io.loam.runtime.admin.HttpRequest;
import io.loam.runtime.config.LogConfig;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// `/access_log`: GET shows the settings, POST changes what is named and leaves the rest: `format=text|json`,
/// `only=errors|all`, `namespace=a,b`, `workload=x,y` (empty: all), `rate=N` lines per second (0: no limit); `reset`
/// returns to the settings of the start, before anything else is changed.
public final class AccessLogControl {
    private static final Set<String> KEYS = Set.of("format", "only", "namespace", "workload", "rate", "reset");

    private final AccessLog log;
    private final AccessLogSettings initial;

    public AccessLogControl(AccessLog log) {
        this.log = log;
        this.initial = log.settings();
    }

    /// Any thread.
    public HttpReply reply(HttpRequest request) {
        return switch (request.method()) {
            case "GET" -> HttpReply.json(render(log.settings()));
            case "POST" -> change(request);
            default -> HttpReply.text(405, "Invalid HTTP method\n");
        };
    }

    private synchronized HttpReply change(HttpRequest request) {
        try {
            var next = request.query().containsKey("reset") ? initial : log.settings();
            for (var entry : request.query().entrySet()) {
                if (!KEYS.contains(entry.getKey())) {
                    throw new IllegalArgumentException(
                            entry.getKey() + ": no such setting (expected: one of " + new TreeSet<>(KEYS) + ")");
                }
                for (var value : entry.getValue()) {
                    next = with(next, entry.getKey(), value);
                }
            }
            log.configure(next);
            return HttpReply.json(render(next));
        } catch (IllegalArgumentException e) {
            return HttpReply.text(400, e.getMessage() + "\n");
        }
    }

    private static AccessLogSettings with(AccessLogSettings old, String key, String value) {
        var format = old.format();
        var onlyErrors = old.onlyErrors();
        var namespaces = old.namespaces();
        var workloads = old.workloads();
        int rate = old.linesPerSecond();
        switch (key) {
            case "format" -> format = format(value);
            case "only" -> onlyErrors = onlyErrors(value);
            case "namespace" -> namespaces = names(value);
            case "workload" -> workloads = names(value);
            case "rate" -> rate = rate(value);
            default -> {
                return old; // reset, done before
            }
        }
        return new AccessLogSettings(format, onlyErrors, namespaces, workloads, rate);
    }

    private static LogConfig.Format format(String value) {
        return switch (value.toLowerCase(Locale.ROOT)) {
            case "text", "plain" -> LogConfig.Format.PLAIN; // Istio's word and ztunnel's
            case "json" -> LogConfig.Format.JSON;
            default -> throw new IllegalArgumentException("format: " + value + " (expected: text or json)");
        };
    }

    private static boolean onlyErrors(String value) {
        return switch (value) {
            case "errors" -> true;
            case "all" -> false;
            default -> throw new IllegalArgumentException("only: " + value + " (expected: errors or all)");
        };
    }

    private static Set<String> names(String value) {
        return Arrays.stream(value.split(","))
                .filter(name -> !name.isBlank())
                .map(String::strip)
                .collect(Collectors.toSet());
    }

    private static int rate(String value) {
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException _) {
            throw new IllegalArgumentException("rate: " + value + " (expected: 0 to "
                    + AccessLogSettings.MOST_LINES_PER_SECOND + " lines per second)");
        }
    }

    private static String render(AccessLogSettings settings) {
        return """
                {"format": "%s", "only": "%s", "namespace": %s, "workload": %s, "rate": %d}
                """.formatted(
                        settings.format() == LogConfig.Format.JSON ? "json" : "text",
                        settings.onlyErrors() ? "errors" : "all",
                        array(settings.namespaces()),
                        array(settings.workloads()),
                        settings.linesPerSecond());
    }

    private static String array(Set<String> names) {
        return names.stream().sorted().map(AccessLogControl::quoted).collect(Collectors.joining(", ", "[", "]"));
    }

    private static String quoted(String name) {
        var out = new StringBuilder("\"");
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (c < ' ' || c == '"' || c == '\\') {
                out.append("\\u%04x".formatted((int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
