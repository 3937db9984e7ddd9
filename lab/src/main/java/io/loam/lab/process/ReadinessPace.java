package io.loam.lab.process;

import java.time.Duration;

/// How long to wait between two looks at a container's readiness: the probe's period, but less while the container
/// never was well. Kubernetes, too, asks what is not ready at other times than the period says, so that its pod is
/// ready sooner ("Configure Liveness, Readiness and Startup Probes", `periodSeconds`). Not for several threads.
final class ReadinessPace {
    private static final Duration FIRST = Duration.ofMillis(50);

    private final Duration period;
    private Duration next = FIRST;

    /// @param period of the probe
    ReadinessPace(Duration period) {
        this.period = period;
    }

    /// @param well whether it was, just now
    Duration after(boolean well) {
        if (well || next.compareTo(period) > 0) {
            next = period;
        }
        var pause = next;
        next = next.multipliedBy(2);
        return pause;
    }
}
