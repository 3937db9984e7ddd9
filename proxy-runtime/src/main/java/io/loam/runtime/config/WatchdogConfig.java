package io.loam.runtime.config;

import java.time.Duration;

/// When an event loop that does not run its tasks is taken for slow, stuck, lost (hazard P13). Fixed: whoever raised
/// them would keep a process that serves nobody.
///
/// @param period how often each loop is asked; at least 1 ms. Default 100 ms
/// @param stackAfter lag after which the stack of the loop's thread goes to the log; more than the period. Default
///     1 s: a hundred times what the longest step of a loop takes
/// @param notReadyAfter lag after which the process says it is not ready; more than `stackAfter`. Default 10 s: what
///     peers give a handshake
/// @param abortAfter lag after which the process ends, since a restart serves and it does not; more than
///     `notReadyAfter`. Default 30 s: by then peers have given its tunnels up
public record WatchdogConfig(Duration period, Duration stackAfter, Duration notReadyAfter, Duration abortAfter) {
    public static final WatchdogConfig DEFAULT = new WatchdogConfig(
            Duration.ofMillis(100), Duration.ofSeconds(1), Duration.ofSeconds(10), Duration.ofSeconds(30));

    public WatchdogConfig {
        new Checks()
                .require(period.toMillis() >= 1, "watchdog period", period, "at least 1 ms")
                .require(stackAfter.compareTo(period) > 0, "watchdog stackAfter", stackAfter, "more than " + period)
                .require(
                        notReadyAfter.compareTo(stackAfter) > 0,
                        "watchdog notReadyAfter",
                        notReadyAfter,
                        "more than " + stackAfter)
                .require(
                        abortAfter.compareTo(notReadyAfter) > 0,
                        "watchdog abortAfter",
                        abortAfter,
                        "more than " + notReadyAfter)
                .done();
    }
}
