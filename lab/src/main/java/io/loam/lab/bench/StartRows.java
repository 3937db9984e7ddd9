package io.loam.lab.bench;

import io.loam.lab.bench.Testbed.Value;
import io.loam.lab.bench.load.FixedRateResult;
import io.loam.lab.bench.report.Figure;
import io.loam.lab.bench.topology.Candidate;
import java.io.IOException;
import java.util.List;

/// Agents are killed and started again: when they listen, when they are ready, and what the first requests after that
/// have to wait, compared with the same requests through the same pair when it is warm. These open connections of
/// their own, as many as they need, and the opening counts: that is what a first request finds.
final class StartRows {
    private static final List<Figure> WANTED =
            List.of(Figures.LISTENING, Figures.READY, Figures.FIRST_P99, Figures.STEADY_P99, Figures.FIRST_RATIO);

    private final Testbed testbed;
    private final BenchPlan plan;

    StartRows(Testbed testbed, BenchPlan plan) {
        this.testbed = testbed;
        this.plan = plan;
    }

    /// After the rounds: the load generator must be warm.
    void run() {
        for (var candidate : testbed.capturing()) {
            for (int i = 0; i < plan.starts() && candidate.agents().isPresent(); i++) {
                testbed.measure(candidate, WANTED, () -> start(candidate));
            }
        }
    }

    private List<Value> start(Candidate candidate) throws IOException {
        testbed.newConnections(candidate, plan.newConnections()); // the agents of the start before are cold
        var steady = firstRequests(candidate).p99Micros();
        var start = candidate.agents().orElseThrow().restart(testbed.lab().lab());
        var first = firstRequests(candidate).p99Micros();
        return List.of(
                new Value(Figures.LISTENING, start.listeningSeconds()),
                new Value(Figures.READY, start.readySeconds()),
                new Value(Figures.FIRST_P99, first),
                new Value(Figures.STEADY_P99, steady),
                new Value(Figures.FIRST_RATIO, first / steady));
    }

    private FixedRateResult firstRequests(Candidate candidate) throws IOException {
        var result = testbed.client(candidate).firstRequests(testbed.target(candidate), Figures.FIRST, Testbed.KEPT);
        if (result.failure() != null) {
            throw new IOException(result.failure());
        }
        return result;
    }
}
