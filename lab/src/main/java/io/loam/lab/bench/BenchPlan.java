package io.loam.lab.bench;

import java.time.Duration;
import java.util.List;

/// What is run and for how long.
///
/// @param rounds each takes every candidate in turn, so that a machine that gets slower gets slower for all
/// @param noRoundAfter since the start of the program: a slow machine gets fewer rounds, not a longer run
/// @param warmUp of each load and candidate before the first round, in one go: our own code is compiled while it runs
/// @param warmUpRuns how often at most new connections are opened for that long, see {@link WarmUp}
/// @param bulk of one bulk transfer, see {@link io.loam.lab.bench.load.Iperf#run}
/// @param rate of one latency run
/// @param newConnections of one run of opening connections
/// @param leastShare of its rate, below which a latency run is void: it did not load the target as its name says
/// @param rates requests per second of the latency runs
/// @param bothDirections bulk from the server too
/// @param victimRounds how many of the rounds, counted from the first, have the run beside a neighbour
/// @param held numbers of idle connections with which memory is read, in ascending order
/// @param bulkBytes of the transfer after which memory is read
/// @param settle time without traffic before memory is read
/// @param starts how often agents are started again
/// @param profile of each load under a profiler
record BenchPlan(
        int rounds,
        Duration noRoundAfter,
        Duration warmUp,
        int warmUpRuns,
        Duration bulk,
        Duration rate,
        double leastShare,
        Duration newConnections,
        List<Integer> rates,
        boolean bothDirections,
        int victimRounds,
        List<Integer> held,
        long bulkBytes,
        Duration settle,
        int starts,
        Duration profile) {
    private static final double LEAST_SHARE = 0.98;
    private static final long GIGABYTE = 1_000_000_000L;

    /// Under two minutes.
    static final BenchPlan QUICK = new BenchPlan(
            2,
            Duration.ofSeconds(75),
            Duration.ofMillis(1500),
            4,
            Duration.ofSeconds(1),
            Duration.ofSeconds(2),
            LEAST_SHARE,
            Duration.ofSeconds(1),
            List.of(5000),
            false,
            1,
            List.of(10_000),
            2 * GIGABYTE,
            Duration.ofSeconds(5),
            1,
            Duration.ofSeconds(3));

    /// Under ten minutes.
    static final BenchPlan FULL = new BenchPlan(
            4,
            Duration.ofSeconds(370),
            Duration.ofSeconds(5),
            5,
            Duration.ofSeconds(3),
            Duration.ofSeconds(3),
            LEAST_SHARE,
            Duration.ofSeconds(3),
            List.of(1000, 5000, 10_000),
            true,
            2,
            List.of(1000, 10_000),
            20 * GIGABYTE,
            Duration.ofSeconds(10),
            3,
            Duration.ofSeconds(10));

    /// Seconds: whether everything still works, no figures to rely on.
    static final BenchPlan SMOKE = new BenchPlan(
            1,
            Duration.ofSeconds(60),
            Duration.ofMillis(300),
            2,
            Duration.ofMillis(400), // eight handshakes of HAProxy and some bytes, also on a machine that is busy
            Duration.ofMillis(500),
            0.5, // half a second of a machine that is busy with other tests
            Duration.ofMillis(500),
            List.of(500),
            true,
            1,
            List.of(100, 200),
            GIGABYTE / 10,
            Duration.ofMillis(200),
            1,
            Duration.ofSeconds(1));

    BenchPlan {
        rates = List.copyOf(rates);
        held = List.copyOf(held);
    }
}
