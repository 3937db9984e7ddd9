package io.loam.lab.process;

import java.time.Duration;

/// How long a container that ended waits for its next start: 1 s, doubled each time, 30 s at most, from the beginning
/// after a run of a minute. Kubernetes waits 10 s to 5 min; a lab is there to be looked at.
final class RestartBackoff {
    static final Duration FIRST = Duration.ofSeconds(1);
    static final Duration LONGEST = Duration.ofSeconds(30);
    static final Duration GOOD_RUN = Duration.ofMinutes(1);

    private Duration next = Duration.ZERO;

    /// @param run how long the container ran
    Duration afterRun(Duration run) {
        if (run.compareTo(GOOD_RUN) >= 0 || next.isZero()) {
            next = FIRST;
        } else {
            next = next.multipliedBy(2);
            next = next.compareTo(LONGEST) > 0 ? LONGEST : next;
        }
        return next;
    }
}
