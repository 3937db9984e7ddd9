package io.loam.lab.bench;

import io.loam.lab.bench.report.Figure;
import io.loam.lab.bench.report.Hold;
import java.util.List;

/// Everything that is measured, and what of it is held.
final class Figures {
    static final Figure NEW_CONNECTIONS = Figure.more("new connections", "per second", "1/s");
    static final Figure NEW_CONNECTION_CPU = Figure.less("new connections", "proxies' CPU", "µs each");

    static final List<Hold> HOLDS = List.of(
            Hold.ratio(throughput(1, false), "haproxy", 1.3),
            Hold.ratio(throughput(8, false), "haproxy", 1.3),
            Hold.ratio(cpuPerGigabyte(1, false), "haproxy", 0.7),
            Hold.ratio(cpuPerGigabyte(8, false), "haproxy", 0.75),
            Hold.ratio(latency(5000, "p50"), "haproxy", 1.0),
            Hold.ratio(latency(5000, "p99"), "haproxy", 1.1),
            Hold.ratio(cpuPerRequests(5000), "haproxy", 0.8),
            Hold.ratio(NEW_CONNECTIONS, "haproxy", 5),
            Hold.ratio(NEW_CONNECTIONS, "haproxy-h2", 0.95));

    private Figures() {}

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
}
