package io.loam.lab.bench;

import io.loam.lab.bench.topology.Candidate;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;

/// The same loads for every candidate, before anything is measured: new connections for as long as they become faster
/// from one run to the next, so that rounds measure code that is compiled. The connections' whole way through our
/// agents
/// is 100,000 connections long, one of compiled code (fast-path, section 6) takes two runs. What it came to is said
/// with
/// the figures.
final class WarmUp {
    /// Enough to have everything compiled, few enough for the slowest candidate.
    private static final int RATE = 5000;

    private static final int BULK_CONNECTIONS = 8;

    /// After two runs in a row that were not faster than the best before by this, it is taken for as fast as it gets.
    private static final double FASTER = 1.05;

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
        testbed.remark(
                ("warm-up, not measured: the same loads before the first round, %s s each, new connections until they"
                                + " became no faster, at most %d times: %s")
                        .formatted(plan.warmUp().toMillis() / 1e3, plan.warmUpRuns(), String.join("; ", done)));
    }

    private String run(Candidate candidate) throws IOException {
        var connections = "connections " + connections(candidate);
        if (candidate.asksForTunnel()) {
            return connections;
        }
        // A rate that is missed is no reason to stop here: the code runs all the same.
        var requests = testbed.client(candidate)
                .fixedRate(testbed.target(candidate), RATE, Testbed.KEPT, plan.warmUp())
                .answered();
        if (plan.warmUp().compareTo(LEAST_BULK) < 0) {
            return "%s, %,d requests".formatted(connections, requests);
        }
        var bulk = testbed.bulk(candidate, BULK_CONNECTIONS, false, plan.warmUp());
        return "%s, %,d requests, %.1f GB".formatted(connections, requests, bulk.bytes() / 1e9);
    }

    /// @return what each run came to per second
    private String connections(Candidate candidate) throws IOException {
        var runs = new ArrayList<String>();
        double best = 0;
        int noFaster = 0;
        while (noFaster < 2 && runs.size() < plan.warmUpRuns()) {
            double perSecond = testbed.newConnections(candidate, plan.warmUp()).perSecond();
            noFaster = perSecond > best * FASTER ? 0 : noFaster + 1;
            best = Math.max(best, perSecond);
            runs.add("%,.0f".formatted(perSecond));
        }
        return String.join(", ", runs) + " per second";
    }
}
