package io.loam.lab.bench;

import io.loam.lab.bench.profile.FlameGraph;
import io.loam.lab.bench.profile.JfrProfiler;
import io.loam.lab.bench.profile.PerfProfiler;
import io.loam.lab.bench.profile.Profiler;
import io.loam.lab.bench.profile.Profiler.Recording;
import io.loam.lab.bench.profile.StackTree;
import io.loam.lab.bench.topology.Candidate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A flame graph of each proxy pair under each load, instead of figures: who is watched is slower.
final class Profiles {
    private static final List<String> SIDES = List.of("proxy of the client", "proxy of the server");

    private final Testbed testbed;
    private final BenchPlan plan;
    private final Path directory;

    @FunctionalInterface
    private interface Load {
        void run() throws IOException;
    }

    /// @param directory where pages go
    Profiles(Testbed testbed, BenchPlan plan, Path directory) throws IOException {
        this.testbed = testbed;
        this.plan = plan;
        this.directory = Files.createDirectories(directory);
    }

    /// @return one line for each page, or why it is not there
    List<String> run() {
        var lines = new ArrayList<String>();
        for (var candidate : testbed.lab().candidates()) {
            if (candidate.hasProxies()) {
                loads(candidate).forEach((name, load) -> lines.add(profile(candidate, name, load)));
            }
        }
        return lines;
    }

    private Map<String, Load> loads(Candidate candidate) {
        var loads = new LinkedHashMap<String, Load>();
        if (!candidate.asksForTunnel()) {
            for (int connections : List.of(1, 8)) {
                loads.put(
                        "bulk-%d".formatted(connections),
                        () -> testbed.bulk(candidate, connections, false, plan.profile()));
            }
            for (int rate : plan.rates()) {
                loads.put(
                        "requests-%d".formatted(rate),
                        () -> testbed.fixedRate(candidate, rate, plan.profile(), 0)); // watched, it may miss its rate
            }
        }
        loads.put("new-connections", () -> testbed.newConnections(candidate, plan.profile()));
        return loads;
    }

    private String profile(Candidate candidate, String load, Load run) {
        var title = candidate.name() + ", " + load;
        try {
            var stacks = new StackTree();
            var recordings = new ArrayList<Recording>();
            Profiler profiler = candidate.isLoam() ? new JfrProfiler(directory) : new PerfProfiler(directory);
            double used;
            try {
                for (long pid : candidate.pids()) {
                    recordings.add(profiler.start(pid));
                }
                double before = candidate.usage().cpuSeconds();
                run.run();
                used = candidate.usage().cpuSeconds() - before;
            } finally {
                for (int i = 0; i < recordings.size(); i++) {
                    recordings.get(i).stop(stacks, SIDES.get(i));
                }
            }
            if (stacks.samples() == 0) {
                throw new IOException("no samples were taken");
            }
            var page = directory.resolve(candidate.name() + "-" + load + ".html");
            Files.writeString(page, FlameGraph.render(title, stacks));
            return "%s: %,d samples of %.1f s of CPU, %s".formatted(title, stacks.samples(), used, page);
        } catch (IOException e) {
            return title + ": absent: " + e.getMessage();
        }
    }
}
