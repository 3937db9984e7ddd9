package io.loam.runtime.accesslog;

import io.loam.runtime.config.LogConfig;
import java.net.InetSocketAddress;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// Renders a line (wire reference, 8.2): fields in a fixed order, empty ones left out. One per thread that renders.
///
/// Rendering is a tenth of what a short connection costs, so times and plain texts take a short way: a second is
/// formatted once however many connections end in it, and text is copied as a whole up to what has to be escaped.
final class AccessLogFormat {
    private final LogConfig.Format format;
    private final boolean json;

    /// Since the epoch, the second that {@link #secondText} is of.
    private long second = Long.MIN_VALUE;

    private String secondText = "";

    AccessLogFormat(LogConfig.Format format) {
        this.format = format;
        json = switch (format) {
            case PLAIN -> false;
            case JSON -> true;
        };
    }

    LogConfig.Format format() {
        return format;
    }

    /// A line about lines that are not there.
    void appendMissing(StringBuilder out, Instant time, String reason, long lines) {
        head(out, time, "warn", "lines left out");
        int start = out.length();
        number(out, start, "lines", lines);
        quoted(out, start, "reason", reason);
        out.append(json ? "}\n" : "\n");
    }

    private void head(StringBuilder out, Instant time, String level, String message) {
        if (json) {
            out.append("{\"level\":\"").append(level).append("\",\"time\":\"");
            time(out, time);
            out.append("\",\"scope\":\"access\",\"message\":\"");
            out.append(message).append('"');
        } else {
            time(out, time);
            out.append('\t').append(level).append("\taccess\t");
            out.append(message).append('\t');
        }
    }

    /// In microseconds, always all six digits.
    private void time(StringBuilder out, Instant time) {
        if (time.getEpochSecond() != second) {
            second = time.getEpochSecond();
            var text = Instant.ofEpochSecond(second).toString();
            secondText = text.substring(0, text.length() - 1) + ".";
        }
        out.append(secondText);
        int micros = time.getNano() / 1_000;
        for (int digit = 100_000; digit > 0; digit /= 10) {
            out.append((char) ('0' + micros / digit % 10));
        }
        out.append('Z');
    }

    void append(StringBuilder out, AccessLogEntry entry) {
        head(out, entry.time(), entry.kind().level, entry.kind().message);
        int start = out.length();
        var source = entry.source();
        var destination = entry.destination();
        bare(out, start, "src.addr", address(entry.sourceAddress()));
        if (source != null) {
            quoted(out, start, "src.workload", source.name().isEmpty() ? source.canonicalName() : source.name());
            quoted(out, start, "src.namespace", source.namespace());
        }
        quoted(out, start, "src.identity", text(entry.sourceIdentity()));
        if (source != null) {
            quoted(out, start, "src.cluster", source.clusterId());
        }
        bare(out, start, "dst.addr", address(entry.destinationAddress()));
        bare(out, start, "dst.hbone_addr", text(entry.tunnelTarget()));
        quoted(out, start, "dst.service", text(entry.service()));
        if (destination != null) {
            quoted(
                    out,
                    start,
                    "dst.workload",
                    destination.name().isEmpty() ? destination.canonicalName() : destination.name());
            quoted(out, start, "dst.namespace", destination.namespace());
        }
        quoted(out, start, "dst.identity", text(entry.destinationIdentity()));
        if (destination != null) {
            quoted(out, start, "dst.cluster", destination.clusterId());
        }
        quoted(out, start, "direction", entry.direction().label);
        var duration = entry.duration();
        if (duration != null) {
            number(out, start, "bytes_sent", entry.bytesSent());
            number(out, start, "bytes_recv", entry.bytesReceived());
            quoted(out, start, "duration", duration.toMillis() + "ms");
        }
        quoted(out, start, "error", text(entry.error()));
        quoted(out, start, "code", text(entry.code()));
        quoted(out, start, "instead_of", text(entry.insteadOf()));
        quoted(out, start, "dry_run", text(entry.dryRun()));
        if (json) {
            out.append('}');
        }
        out.append('\n');
    }

    private void number(StringBuilder out, int start, String key, long value) {
        key(out, start, key);
        out.append(value);
    }

    /// Addresses stand without quotes in the plain form, as ztunnel prints them.
    private void bare(StringBuilder out, int start, String key, String value) {
        if (json) {
            quoted(out, start, key, value);
        } else if (!value.isEmpty()) {
            key(out, start, key);
            // An authority comes from the peer: it may not break the line.
            for (int i = 0; i < value.length(); i++) {
                char c = value.charAt(i);
                out.append(c <= ' ' || c > '~' ? '?' : c);
            }
        }
    }

    private void quoted(StringBuilder out, int start, String key, String value) {
        if (value.isEmpty()) {
            return;
        }
        key(out, start, key);
        out.append('"');
        int copied = 0;
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\' || c < ' ' || c == 0x7f) {
                out.append(value, copied, i);
                copied = i + 1;
                escaped(out, c);
            }
        }
        out.append(value, copied, value.length()).append('"');
    }

    private static void escaped(StringBuilder out, char c) {
        if (c == '"' || c == '\\') {
            out.append('\\').append(c);
        } else {
            out.append(String.format("\\u%04x", (int) c));
        }
    }

    private void key(StringBuilder out, int start, String key) {
        if (json) {
            out.append(",\"").append(key).append("\":");
        } else {
            if (out.length() > start) {
                out.append(' ');
            }
            out.append(key).append('=');
        }
    }

    private static String text(@Nullable Object value) {
        return value == null ? "" : value.toString();
    }

    private static String address(@Nullable InetSocketAddress address) {
        if (address == null || address.getAddress() == null) {
            return "";
        }
        var host = address.getAddress().getHostAddress();
        return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + address.getPort();
    }
}
