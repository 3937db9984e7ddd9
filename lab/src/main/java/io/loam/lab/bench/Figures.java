package io.loam.lab.bench;

import io.loam.lab.bench.report.Figure;
import io.loam.lab.bench.report.Hold;
import java.util.ArrayList;
import java.util.List;

/// Everything that is measured, and what of it is held.
final class Figures {
    static final Figure NEW_CONNECTIONS = Figure.more("new connections", "per second", "1/s");
    static final Figure NEW_CONNECTION_CPU = Figure.less("new connections", "proxies' CPU", "µs each");

    static final int VICTIM_RATE = 1000;
    static final int NEIGHBOURS = 8;
    private static final String VICTIM =
            "%,d requests/s beside %d bulk connections of another pod".formatted(VICTIM_RATE, NEIGHBOURS);
    static final Figure VICTIM_ALONE = Figure.less(VICTIM, "p99 without them", "µs");
    static final Figure VICTIM_BESIDE = Figure.less(VICTIM, "p99", "µs");
    static final Figure VICTIM_RATIO = Figure.less(VICTIM, "p99 beside / without", "times");
    static final Figure NEIGHBOUR = Figure.more(VICTIM, "the others' throughput", "Gbit/s");

    private static final String MEMORY = "resident memory of the larger proxy";
    static final Figure MEMORY_IDLE = Figure.less(MEMORY, "fresh and idle", "MiB");

    static final int FIRST = 1000;
    private static final String START = "start of a proxy";
    static final Figure LISTENING = Figure.less(START, "to listening in a pod", "s");
    static final Figure READY = Figure.less(START, "to ready", "s");
    static final Figure FIRST_P99 = Figure.less(START, "p99, first %,d requests".formatted(FIRST), "µs");
    static final Figure STEADY_P99 = Figure.less(START, "p99 of the same, warm", "µs");
    static final Figure FIRST_RATIO = Figure.less(START, "p99 first / warm", "times");

    private static final long MEGABYTE = 1_000_000;

    private Figures() {}

    /// Only what the plan measures can be held; what it scales down says so in its name.
    static List<Hold> holds(BenchPlan plan) {
        var holds = new ArrayList<>(List.of(
                Hold.ratio(throughput(1, false), "haproxy", 1.3),
                Hold.ratio(throughput(8, false), "haproxy", 1.3),
                Hold.ratio(cpuPerGigabyte(1, false), "haproxy", 0.7),
                Hold.ratio(cpuPerGigabyte(8, false), "haproxy", 0.75),
                Hold.ratio(latency(5000, "p50"), "haproxy", 1.0),
                Hold.ratio(latency(5000, "p99"), "haproxy", 1.1),
                Hold.ratio(cpuPerRequests(5000), "haproxy", 0.8),
                Hold.ratio(NEW_CONNECTIONS, "haproxy", 5),
                Hold.ratio(NEW_CONNECTIONS, "haproxy-h2", 0.95),
                Hold.absolute(VICTIM_RATIO, 3),
                Hold.absolute(MEMORY_IDLE, 110)));
        holds.add(Hold.absolute(memoryHolding(plan.held().getLast()), 200));
        holds.add(Hold.absolute(memoryAfter(plan), 160));
        holds.add(Hold.absolute(LISTENING, 0.4));
        holds.add(Hold.absolute(READY, 1));
        holds.add(Hold.absolute(FIRST_RATIO, 3));
        return List.copyOf(holds);
    }

    static Figure throughput(int connections, boolean reverse) {
        return Figure.more(bulk(connections, reverse), "throughput", "Gbit/s");
    }

    static Figure cpuPerGigabyte(int connections, boolean reverse) {
        return Figure.less(bulk(connections, reverse), "proxies' CPU", "s/GB");
    }

    private static String bulk(int connections, boolean reverse) {
        return "bulk, %d connection%s, from %s"
                .formatted(connections, connections == 1 ? "" : "s", reverse ? "server" : "client");
    }

    /// @param percentile `p50`, `p90`, `p99`, `p99.9`
    static Figure latency(int rate, String percentile) {
        return Figure.less(atRate(rate), percentile, "µs");
    }

    static Figure cpuPerRequests(int rate) {
        return Figure.less(atRate(rate), "proxies' CPU", "s/100k");
    }

    private static String atRate(int rate) {
        return "%,d requests/s".formatted(rate);
    }

    static Figure memoryHolding(int connections) {
        return Figure.less(MEMORY, "%,d idle connections".formatted(connections), "MiB");
    }

    static Figure memoryAfter(BenchPlan plan) {
        long seconds = plan.settle().toSeconds();
        long megabytes = plan.bulkBytes() / MEGABYTE;
        var amount = megabytes >= 1000 ? megabytes / 1000 + " GB" : megabytes + " MB";
        return Figure.less(MEMORY, "%d s after %s of bulk".formatted(seconds, amount), "MiB");
    }
}
