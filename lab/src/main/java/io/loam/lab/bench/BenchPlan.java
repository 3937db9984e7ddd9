package io.loam.lab.bench;

import java.time.Duration;
import java.util.List;

/// What is run and for how long.
///
/// @param rounds each takes every candidate in turn, so that a machine that gets slower gets slower for all
/// @param warmUp of each load and candidate before the first round, in one go: our own code is compiled while it runs
/// @param bulk of one bulk transfer
/// @param rate of one latency run
/// @param newConnections of one run of opening connections
/// @param rates requests per second of the latency runs
/// @param bothDirections bulk from the server too
public record BenchPlan(
        int rounds,
        Duration warmUp,
        Duration bulk,
        Duration rate,
        Duration newConnections,
        List<Integer> rates,
        boolean bothDirections) {
    /// Under two minutes.
    static final BenchPlan QUICK = new BenchPlan(
            3,
            Duration.ofSeconds(3),
            Duration.ofSeconds(2),
            Duration.ofSeconds(2),
            Duration.ofSeconds(2),
            List.of(5000),
            false);

    /// Under ten minutes.
    static final BenchPlan FULL = new BenchPlan(
            4,
            Duration.ofSeconds(4),
            Duration.ofSeconds(3),
            Duration.ofSeconds(4),
            Duration.ofSeconds(3),
            List.of(1000, 5000, 10_000),
            true);

    /// Seconds: whether everything still works, no figures to rely on.
    static final BenchPlan SMOKE = new BenchPlan(
            1,
            Duration.ZERO,
            Duration.ofSeconds(1),
            Duration.ofMillis(500),
            Duration.ofMillis(500),
            List.of(500),
            false);

    public BenchPlan {
        rates = List.copyOf(rates);
    }
}
