package io.loam.lab.bench;

import io.loam.lab.bench.load.Iperf;
import io.loam.lab.bench.load.LoadProcess;
import io.loam.lab.bench.report.Figure;
import io.loam.lab.bench.report.Results;
import io.loam.lab.bench.topology.BenchLab;
import io.loam.lab.bench.topology.Candidate;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// The loads that every candidate gets in turn, round by round.
final class Rounds implements AutoCloseable {
    /// Kept connections of a latency run.
    static final int KEPT = 64;

    /// Connections that are being opened at a time.
    private static final int AT_A_TIME = 32;

    private static final int REQUESTS = 100_000;

    /// Of the warm-up: enough to have everything compiled, few enough for the slowest candidate.
    private static final int WARM_UP_RATE = 5000;

    private final BenchLab lab;
    private final BenchPlan plan;
    private final Results results;
    private final Map<String, LoadProcess> clients = new HashMap<>();

    /// A measurement and what it tells, thrown away as a whole where one step of it fails.
    @FunctionalInterface
    private interface Measurement {
        List<Value> take() throws IOException;
    }

    private record Value(Figure figure, double value) {}

    Rounds(BenchLab lab, BenchPlan plan, Results results, Path log) throws IOException {
        this.lab = lab;
        this.plan = plan;
        this.results = results;
        for (var candidate : lab.candidates()) {
            if (!clients.containsKey(candidate.client())) {
                clients.put(candidate.client(), LoadProcess.start(lab.lab().enter(candidate.client()), log));
            }
        }
    }

    LoadProcess client(Candidate candidate) {
        var client = clients.get(candidate.client());
        if (client == null) {
            throw new IllegalArgumentException("no load generator in " + candidate.client());
        }
        return client;
    }

    /// Nothing of it is kept.
    void warmUp() throws IOException {
        if (plan.warmUp().isZero()) {
            return;
        }
        for (var candidate : lab.candidates()) {
            client(candidate).newConnections(target(candidate), AT_A_TIME, plan.warmUp(), tunnelTo(candidate));
            if (!candidate.asksForTunnel()) {
                client(candidate).fixedRate(target(candidate), WARM_UP_RATE, KEPT, plan.warmUp());
                Iperf.run(inside(candidate), server(candidate), BenchLab.IPERF_PORT, 8, false, plan.warmUp());
            }
        }
    }

    void run() {
        for (var candidate : lab.candidates()) {
            if (!candidate.asksForTunnel()) {
                for (var reverse : plan.bothDirections() ? List.of(false, true) : List.of(false)) {
                    bulk(candidate, 1, reverse);
                    bulk(candidate, 8, reverse);
                }
                plan.rates().forEach(rate -> latency(candidate, rate));
            }
            newConnections(candidate);
        }
    }

    private void bulk(Candidate candidate, int connections, boolean reverse) {
        var throughput = Figures.throughput(connections, reverse);
        var cpu = Figures.cpuPerGigabyte(connections, reverse);
        measure(candidate, cpuOnlyWithProxies(candidate, List.of(throughput), cpu), () -> {
            double before = candidate.usage().cpuSeconds();
            var bulk = Iperf.run(
                    inside(candidate), server(candidate), BenchLab.IPERF_PORT, connections, reverse, plan.bulk());
            double used = candidate.usage().cpuSeconds() - before;
            return List.of(
                    new Value(throughput, bulk.gigabitsPerSecond()), new Value(cpu, used / (bulk.bytes() / 1e9)));
        });
    }

    private void latency(Candidate candidate, int rate) {
        var cpu = Figures.cpuPerRequests(rate);
        var percentiles = List.of(
                Figures.latency(rate, "p50"),
                Figures.latency(rate, "p90"),
                Figures.latency(rate, "p99"),
                Figures.latency(rate, "p99.9"));
        measure(candidate, cpuOnlyWithProxies(candidate, percentiles, cpu), () -> {
            double before = candidate.usage().cpuSeconds();
            var result = client(candidate).fixedRate(target(candidate), rate, KEPT, plan.rate());
            double used = candidate.usage().cpuSeconds() - before;
            var reason = result.voidFor(rate);
            if (reason != null) {
                throw new IOException(reason);
            }
            return List.of(
                    new Value(percentiles.get(0), result.p50Micros()),
                    new Value(percentiles.get(1), result.p90Micros()),
                    new Value(percentiles.get(2), result.p99Micros()),
                    new Value(percentiles.get(3), result.p999Micros()),
                    new Value(cpu, used / result.answered() * REQUESTS));
        });
    }

    private void newConnections(Candidate candidate) {
        var cpu = Figures.NEW_CONNECTION_CPU;
        measure(candidate, cpuOnlyWithProxies(candidate, List.of(Figures.NEW_CONNECTIONS), cpu), () -> {
            double before = candidate.usage().cpuSeconds();
            var result = client(candidate)
                    .newConnections(target(candidate), AT_A_TIME, plan.newConnections(), tunnelTo(candidate));
            double used = candidate.usage().cpuSeconds() - before;
            if (result.failed() > 0 || result.done() == 0) {
                throw new IOException("%d of %d connections failed: %s"
                        .formatted(result.failed(), result.failed() + result.done(), result.firstFailure()));
            }
            return List.of(
                    new Value(Figures.NEW_CONNECTIONS, result.perSecond()), new Value(cpu, used / result.done() * 1e6));
        });
    }

    private static List<Figure> cpuOnlyWithProxies(Candidate candidate, List<Figure> figures, Figure cpu) {
        var wanted = new ArrayList<>(figures);
        if (!candidate.name().equals("direct")) {
            wanted.add(cpu);
        }
        return wanted;
    }

    private void measure(Candidate candidate, List<Figure> wanted, Measurement measurement) {
        try {
            for (var value : measurement.take()) {
                if (wanted.contains(value.figure())) {
                    results.add(candidate.name(), value.figure(), value.value());
                }
            }
        } catch (IOException e) {
            var reason = String.valueOf(e.getMessage());
            wanted.forEach(figure -> results.fail(candidate.name(), figure, reason));
        }
    }

    private List<String> inside(Candidate candidate) {
        return lab.lab().enter(candidate.client());
    }

    private InetAddress server(Candidate candidate) {
        return lab.address(candidate.server());
    }

    private InetSocketAddress target(Candidate candidate) {
        return candidate.asksForTunnel()
                ? new InetSocketAddress(InetAddress.getLoopbackAddress(), lab.connectPort())
                : new InetSocketAddress(server(candidate), BenchLab.HTTP_PORT);
    }

    private @org.jspecify.annotations.Nullable String tunnelTo(Candidate candidate) {
        return candidate.asksForTunnel() ? server(candidate).getHostAddress() + ":" + BenchLab.HTTP_PORT : null;
    }

    @Override
    public void close() {
        clients.values().forEach(LoadProcess::close);
    }
}
