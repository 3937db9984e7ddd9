package io.loam.runtime.admin;

import java.time.Duration;
import java.util.Optional;
import java.util.regex.Pattern;

/// Durations as operators type them: `90s`, `10m`, `2h`.
final class ShortDuration {
    private static final Pattern FORM = Pattern.compile("([0-9]{1,6})(s|m|h)");

    private ShortDuration() {}

    /// @return empty for what is no such duration
    static Optional<Duration> parse(String text) {
        var form = FORM.matcher(text);
        if (!form.matches()) {
            return Optional.empty();
        }
        long amount = Long.parseLong(form.group(1));
        return Optional.of(
                switch (form.group(2)) {
                    case "s" -> Duration.ofSeconds(amount);
                    case "m" -> Duration.ofMinutes(amount);
                    default -> Duration.ofHours(amount);
                });
    }
}
