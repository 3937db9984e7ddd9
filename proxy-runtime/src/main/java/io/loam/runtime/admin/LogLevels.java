package io.loam.runtime.admin;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.loam.runtime.time.Timer;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/// `POST /logging`: shows and changes the log level, `level=debug` for all or `level=io.loam.agent:debug` for a part,
/// several separated by commas; `reset` returns to the level of the start. With `for=10m` what was changed goes back
/// to what it was by itself: a level that somebody forgot at debug costs a node its disk.
///
/// Safe for all threads.
public final class LogLevels {
    private static final Map<String, Level> LEVELS = Map.of(
            "error", Level.ERROR, "warn", Level.WARN, "info", Level.INFO, "debug", Level.DEBUG, "trace", Level.TRACE);

    /// Longer is not "for a while".
    private static final Duration LONGEST = Duration.ofHours(24);

    private final Level initial;
    private final Timer timer;

    /// By logger; guarded by this.
    private final Map<String, Temporary> temporary = new HashMap<>();

    /// @param before null where the logger had none of its own
    private record Temporary(@Nullable Level before, Timer.Scheduled end) {}

    public LogLevels(String initial, Timer timer) {
        this.initial = LEVELS.getOrDefault(initial, Level.INFO);
        this.timer = timer;
        root().setLevel(this.initial);
    }

    public HttpReply reply(HttpRequest request) {
        if (!request.method().equals("POST")) {
            return HttpReply.text(405, "Invalid HTTP method\n");
        }
        var changes = new LinkedHashMap<String, Level>();
        for (var item : request.query().getOrDefault("level", List.of())) {
            for (var part : item.split(",")) {
                int colon = part.indexOf(':');
                var name = colon < 0 ? org.slf4j.Logger.ROOT_LOGGER_NAME : part.substring(0, colon);
                var level = LEVELS.get(part.substring(colon + 1).toLowerCase(Locale.ROOT));
                if (level == null) {
                    return HttpReply.text(
                            400, "level: " + part + " (expected: [logger:]error, warn, info, debug or trace)\n");
                }
                changes.put(name, level);
            }
        }
        Duration time = null;
        for (var given : request.query().getOrDefault("for", List.of())) {
            time = ShortDuration.parse(given).filter(LogLevels::isSensible).orElse(null);
            if (time == null) {
                return HttpReply.text(400, "for: " + given + " (expected: 1s to 24h, as in 90s, 10m, 2h)\n");
            }
        }
        if (time != null && changes.isEmpty()) {
            return HttpReply.text(400, "for: without a level to set (expected: level=…&for=…)\n");
        }
        change(changes, Optional.ofNullable(time), request.query().containsKey("reset"));
        return HttpReply.text(200, "current log level is " + word(root().getLevel()) + "\n" + describeTemporary());
    }

    private static boolean isSensible(Duration time) {
        return time.isPositive() && time.compareTo(LONGEST) <= 0;
    }

    private synchronized void change(Map<String, Level> changes, Optional<Duration> time, boolean reset) {
        if (reset) {
            temporary.values().forEach(one -> one.end().cancel());
            temporary.clear();
            for (var logger : root().getLoggerContext().getLoggerList()) {
                logger.setLevel(logger == root() ? initial : null);
            }
        }
        changes.forEach((name, level) -> {
            var logger = (Logger) LoggerFactory.getLogger(name);
            var earlier = temporary.remove(name);
            if (earlier != null) {
                earlier.end().cancel();
            }
            if (time.isPresent()) {
                // The second of two temporary levels goes back to what was before the first.
                var before = earlier == null ? logger.getLevel() : earlier.before();
                var end = timer.after(time.get(), () -> goBack(name));
                temporary.put(name, new Temporary(before, end));
            }
            logger.setLevel(level);
        });
    }

    private synchronized void goBack(String name) {
        var over = temporary.remove(name);
        if (over != null) { // changed at the last moment otherwise
            ((Logger) LoggerFactory.getLogger(name)).setLevel(over.before());
        }
    }

    private synchronized String describeTemporary() {
        var text = new StringBuilder();
        temporary.forEach((name, one) -> text.append(name)
                .append(": for a while, then ")
                .append(one.before() == null ? "as its parent" : word(one.before()))
                .append('\n'));
        return text.toString();
    }

    private static String word(Level level) {
        return level.toString().toLowerCase(Locale.ROOT);
    }

    private static Logger root() {
        return (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    }
}
