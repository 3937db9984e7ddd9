package io.loam.lab.bench;

import io.loam.lab.bench.Testbed.Value;
import io.loam.lab.bench.load.Iperf.Bulk;
import io.loam.lab.bench.report.Figure;
import io.loam.lab.bench.topology.Candidate;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/// The loads that every candidate gets in turn, round by round.
final class Rounds {
    private static final int REQUESTS = 100_000;

    /// Of the victim's rate, as {@link BenchPlan#leastShare}.
    private static final double LEAST_BESIDE = 0.5;

    /// The neighbour's connections have to be open when the requests begin.
    private static final Duration HEAD_START = Duration.ofMillis(700);

    /// How much longer than the requests the neighbour sends, so that none of them is without it; the second where a
    /// busy machine needed more than the first.
    private static final List<Duration> OVERLAPS = List.of(Duration.ofSeconds(3), Duration.ofSeconds(12));

    private final Testbed testbed;
    private final BenchPlan plan;

    Rounds(Testbed testbed, BenchPlan plan) {
        this.testbed = testbed;
        this.plan = plan;
    }

    /// @param number from 1
    void run(int number) {
        for (var candidate : testbed.lab().candidates()) {
            if (!candidate.asksForTunnel()) {
                for (var reverse : plan.bothDirections() ? List.of(false, true) : List.of(false)) {
                    bulk(candidate, 1, reverse);
                    bulk(candidate, 8, reverse);
                }
                plan.rates().forEach(rate -> latency(candidate, rate));
                if (number <= plan.victimRounds()) {
                    victim(candidate);
                }
            }
            newConnections(candidate);
        }
    }

    private void bulk(Candidate candidate, int connections, boolean reverse) {
        var throughput = Figures.throughput(connections, reverse);
        var cpu = Figures.cpuPerGigabyte(connections, reverse);
        testbed.measure(candidate, cpuOnlyWithProxies(candidate, List.of(throughput), cpu), () -> {
            double before = candidate.usage().cpuSeconds();
            var bulk = testbed.bulk(candidate, connections, reverse, plan.bulk());
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
        testbed.measure(candidate, cpuOnlyWithProxies(candidate, percentiles, cpu), () -> {
            double before = candidate.usage().cpuSeconds();
            var result = testbed.fixedRate(candidate, rate, plan.rate(), plan.leastShare());
            double used = candidate.usage().cpuSeconds() - before;
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
        testbed.measure(candidate, cpuOnlyWithProxies(candidate, List.of(Figures.NEW_CONNECTIONS), cpu), () -> {
            double before = candidate.usage().cpuSeconds();
            var result = testbed.newConnections(candidate, plan.newConnections());
            double used = candidate.usage().cpuSeconds() - before;
            return List.of(
                    new Value(Figures.NEW_CONNECTIONS, result.perSecond()), new Value(cpu, used / result.done() * 1e6));
        });
    }

    /// Hazard P14. Both runs follow each other at once, so that their ratio is of the same moment.
    private void victim(Candidate candidate) {
        var wanted = List.of(Figures.VICTIM_ALONE, Figures.VICTIM_BESIDE, Figures.VICTIM_RATIO, Figures.NEIGHBOUR);
        testbed.measure(candidate, wanted, () -> {
            for (var overlap : OVERLAPS) {
                var values = victim(candidate, overlap);
                if (!values.isEmpty()) {
                    return values;
                }
            }
            throw new IOException("the bulk connections ended before the requests did");
        });
    }

    /// @return empty where the neighbour was gone too early
    private List<Value> victim(Candidate candidate, Duration overlap) throws IOException {
        var alone = testbed.fixedRate(candidate, Figures.VICTIM_RATE, plan.rate(), plan.leastShare());
        var neighbour = CompletableFuture.supplyAsync(
                () -> neighbour(candidate, plan.rate().plus(overlap)));
        try {
            Thread.sleep(HEAD_START);
            // Requests that got no answer in time are what this looks for; only a load that hardly ran is void.
            var beside = testbed.fixedRate(candidate, Figures.VICTIM_RATE, plan.rate(), LEAST_BESIDE);
            boolean gone = neighbour.isDone();
            var bulk = joined(neighbour);
            return gone
                    ? List.of()
                    : List.of(
                            new Value(Figures.VICTIM_ALONE, alone.p99Micros()),
                            new Value(Figures.VICTIM_BESIDE, beside.p99Micros()),
                            new Value(Figures.VICTIM_RATIO, beside.p99Micros() / alone.p99Micros()),
                            new Value(Figures.NEIGHBOUR, bulk.gigabitsPerSecond()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            neighbour.exceptionally(_ -> null).join(); // the next load must not meet it
        }
    }

    private Bulk neighbour(Candidate candidate, Duration duration) {
        try {
            return testbed.neighboursBulk(candidate, Figures.NEIGHBOURS, duration);
        } catch (IOException e) {
            throw new UncheckedIOException("the bulk connections: " + e.getMessage(), e);
        }
    }

    private static Bulk joined(CompletableFuture<Bulk> neighbour) throws IOException {
        try {
            return neighbour.join();
        } catch (CompletionException e) {
            throw new IOException(
                    e.getCause() instanceof UncheckedIOException failed ? failed.getMessage() : e.toString(), e);
        }
    }

    private static List<Figure> cpuOnlyWithProxies(Candidate candidate, List<Figure> figures, Figure cpu) {
        var wanted = new ArrayList<>(figures);
        if (candidate.hasProxies()) {
            wanted.add(cpu);
        }
        return wanted;
    }
}
