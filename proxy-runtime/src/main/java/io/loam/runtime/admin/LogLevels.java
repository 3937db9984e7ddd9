package io.loam.runtime.admin;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.slf4j.LoggerFactory;

/// `POST /logging`: shows and changes the log level, `level=debug` for all or `level=io.loam.agent:debug` for a part,
/// several separated by commas; `reset` returns to the level of the start.
public final class LogLevels {
    private static final Map<String, Level> LEVELS = Map.of(
            "error", Level.ERROR, "warn", Level.WARN, "info", Level.INFO, "debug", Level.DEBUG, "trace", Level.TRACE);

    private final Level initial;

    public LogLevels(String initial) {
        this.initial = LEVELS.getOrDefault(initial, Level.INFO);
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
        if (request.query().containsKey("reset")) {
            for (var logger : root().getLoggerContext().getLoggerList()) {
                logger.setLevel(logger == root() ? initial : null);
            }
        }
        changes.forEach((name, level) -> ((Logger) LoggerFactory.getLogger(name)).setLevel(level));
        return HttpReply.text(
                200, "current log level is " + root().getLevel().toString().toLowerCase(Locale.ROOT) + "\n");
    }

    private static Logger root() {
        return (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    }
}
