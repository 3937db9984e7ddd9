package io.loam.lab.bench;

import io.loam.lab.bench.topology.Candidate;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;

/// The same loads for the same time for every candidate, before anything is measured: until the JVM has compiled what
/// they take, which is 20,000 to 30,000 connections into it (fast-path, section 6). What they came to is said with
/// the figures, because on a slow machine it may be too little.
final class WarmUp {
    /// Enough to have everything compiled, few enough for the slowest candidate.
    private static final int RATE = 5000;

    private static final int BULK_CONNECTIONS = 8;

    /// iperf3 counts whole seconds.
    private static final Duration LEAST_BULK = Duration.ofSeconds(1);

    private final Testbed testbed;
    private final BenchPlan plan;

    WarmUp(Testbed testbed, BenchPlan plan) {
        this.testbed = testbed;
        this.plan = plan;
    }

    void run() {
        var done = new ArrayList<String>();
        for (var candidate : testbed.lab().candidates()) {
            try {
                done.add(candidate.name() + " " + run(candidate));
            } catch (IOException e) { // its rounds will say so too
                done.add(candidate.name() + " failed: " + e.getMessage());
            }
        }
        testbed.remark("warm-up, not measured: the same loads before the first round, %s s each, came to: %s"
                .formatted(plan.warmUp().toMillis() / 1e3, String.join("; ", done)));
    }

    private String run(Candidate candidate) throws IOException {
        var connections = testbed.newConnections(candidate, plan.warmUp());
        if (candidate.asksForTunnel()) {
            return "%,d connections".formatted(connections.done());
        }
        // A rate that is missed is no reason to stop here: the code runs all the same.
        var requests = testbed.client(candidate)
                .fixedRate(testbed.target(candidate), RATE, Testbed.KEPT, plan.warmUp())
                .answered();
        if (plan.warmUp().compareTo(LEAST_BULK) < 0) {
            return "%,d connections, %,d requests".formatted(connections.done(), requests);
        }
        var bulk = testbed.bulk(candidate, BULK_CONNECTIONS, false, plan.warmUp());
        return "%,d connections, %,d requests, %.1f GB".formatted(connections.done(), requests, bulk.bytes() / 1e9);
    }
}
