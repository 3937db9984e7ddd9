package io.loam.runtime.config;

import java.time.Duration;

/// How the proxy ends its connections after a stop signal.
///
/// @param deadline time open connections get to finish; at least 1 s. `CONNECTION_TERMINATION_DEADLINE`, else from
///     `TERMINATION_GRACE_PERIOD_SECONDS` (5 s less than that above 10 s, else 1 s less), else 5 s
public record DrainConfig(Duration deadline) {
    private static final Duration LEAST = Duration.ofSeconds(1);

    public DrainConfig {
        if (deadline.compareTo(LEAST) < 0) {
            throw new ConfigException("CONNECTION_TERMINATION_DEADLINE: " + deadline + " (expected: at least 1s)");
        }
    }

    /// The deadline that leaves time to exit before Kubernetes kills the process.
    static DrainConfig withinGracePeriod(long graceSeconds) {
        return new DrainConfig(
                Duration.ofSeconds(graceSeconds > 10 ? graceSeconds - 5 : Math.max(1, graceSeconds - 1)));
    }
}
