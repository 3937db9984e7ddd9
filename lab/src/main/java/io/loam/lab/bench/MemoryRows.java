package io.loam.lab.bench;

import io.loam.lab.bench.Testbed.Value;
import io.loam.lab.bench.report.Figure;
import io.loam.lab.bench.topology.Candidate;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// What proxies hold of the machine's memory: before the first load, with idle connections, after bulk transfer.
final class MemoryRows {
    private static final double MEBIBYTE = 1 << 20;
    private static final int BULK_CONNECTIONS = 8;

    private final Testbed testbed;
    private final BenchPlan plan;

    /// When a candidate has been without load for long enough.
    private record Due(Candidate candidate, long nanoTime) {}

    MemoryRows(Testbed testbed, BenchPlan plan) {
        this.testbed = testbed;
        this.plan = plan;
    }

    /// To be called while nothing was sent yet.
    void idle() throws IOException {
        pause(plan.settle());
        for (var candidate : proxied()) {
            read(candidate, Figures.MEMORY_IDLE);
        }
    }

    /// Memory that connections of the rounds have left behind counts: an agent in service has seen some.
    void withIdleConnections() {
        for (var candidate : proxied()) {
            for (int count : plan.held()) {
                var figure = Figures.memoryHolding(count);
                testbed.measure(candidate, List.of(figure), () -> {
                    var client = testbed.client(candidate);
                    try {
                        var held = client.hold(testbed.target(candidate), count);
                        // A proxy that keeps some descriptors of a limit to itself holds some fewer.
                        if (held.failure() != null && held.held() < count * plan.leastShare()) {
                            throw new IOException(
                                    "%d of %d connections open: %s".formatted(held.held(), count, held.failure()));
                        }
                        return List.of(resident(candidate, figure));
                    } finally {
                        client.release();
                    }
                });
            }
        }
    }

    /// The pause of one candidate is the load of the next: their processes have nothing in common.
    void afterBulk() throws IOException {
        var figure = Figures.memoryAfter(plan);
        var due = new ArrayList<Due>();
        for (var candidate : proxied()) {
            readThoseDue(due, figure, false);
            testbed.measure(candidate, List.of(figure), () -> {
                testbed.bulk(candidate, BULK_CONNECTIONS, plan.bulkBytes());
                due.add(new Due(candidate, System.nanoTime() + plan.settle().toNanos()));
                return List.of();
            });
        }
        readThoseDue(due, figure, true);
    }

    private void readThoseDue(List<Due> due, Figure figure, boolean wait) throws IOException {
        for (var next : List.copyOf(due)) {
            long missing = next.nanoTime - System.nanoTime();
            if (wait && missing > 0) {
                pause(Duration.ofNanos(missing));
            }
            if (wait || missing <= 0) {
                read(next.candidate, figure);
                due.remove(next);
            }
        }
    }

    private List<Candidate> proxied() {
        return testbed.capturing().stream().filter(Candidate::hasProxies).toList();
    }

    private void read(Candidate candidate, Figure figure) {
        testbed.measure(candidate, List.of(figure), () -> List.of(resident(candidate, figure)));
    }

    private static Value resident(Candidate candidate, Figure figure) throws IOException {
        return new Value(figure, candidate.usage().residentBytes() / MEBIBYTE);
    }

    private static void pause(Duration duration) throws IOException {
        try {
            Thread.sleep(duration);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
