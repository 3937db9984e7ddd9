package io.loam.lab.bench;

import ch.qos.logback.classic.Level;
import io.loam.lab.Lab;
import io.loam.lab.bench.profile.JfrProfiler;
import io.loam.lab.bench.report.HtmlReport;
import io.loam.lab.bench.report.JsonReport;
import io.loam.lab.bench.report.Results;
import io.loam.lab.bench.report.TextReport;
import io.loam.lab.bench.topology.BenchLab;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// The program behind `./loam bench`.
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        description = "Measure the mesh on this machine beside a pair of HAProxy and no proxy at all. Asks nothing.")
public final class Bench implements Callable<Integer> {
    private static final int CORES_FOR_A_VERDICT = 2;

    @Option(names = "--quick", description = "Under two minutes instead of under ten: fewer loads, shorter.")
    private boolean quick;

    @Option(
            names = "--profile",
            description = "Flame graphs of each proxy under each load instead of figures; with --quick shorter.")
    private boolean profile;

    @Option(names = "--smoke", hidden = true, description = "Seconds: only whether it works.")
    private boolean smoke;

    @Option(names = "--name", paramLabel = "NAME", defaultValue = "bench", description = "Name of the lab.")
    private String name = "bench";

    @Option(names = "--work", required = true, hidden = true, description = "Where the files go.")
    private Path work = Path.of("target", "bench");

    public static void main(String[] args) {
        var command = new CommandLine(new Bench()).setExecutionExceptionHandler((failure, _, _) -> {
            if (failure instanceof IOException) {
                System.err.println("loam: " + failure.getMessage());
                return 1;
            }
            throw failure;
        });
        System.exit(command.execute(args));
    }

    /// @return 0 whatever was measured; what cannot be measured at all is an exception
    @Override
    public Integer call() throws IOException {
        // What the lab says while it starts would stand between the lines of the table.
        ((ch.qos.logback.classic.Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).setLevel(Level.ERROR);
        var started = System.nanoTime();
        var plan = smoke ? BenchPlan.SMOKE : quick ? BenchPlan.QUICK : BenchPlan.FULL;
        Files.createDirectories(work);
        var results = new Results();
        int cores = Runtime.getRuntime().availableProcessors();
        results.remark("%d cores%s"
                .formatted(cores, cores < CORES_FOR_A_VERDICT ? ": fewer than 2, these figures are no verdict" : ""));
        Runtime.getRuntime().addShutdownHook(new Thread(this::takeDown, "bench-end"));
        try (var lab = BenchLab.start(name, work.toAbsolutePath().normalize(), agentOptions(), other())) {
            say("Two nodes are up after %.1f s.".formatted(seconds(started)));
            lab.candidates().forEach(candidate -> results.candidate(candidate.name(), candidate.what()));
            lab.absent().forEach(results::absent);
            try (var testbed = new Testbed(lab, results, work.resolve("load.log"))) {
                if (profile) {
                    say("Warm-up, %.0f s so far.".formatted(seconds(started)));
                    new WarmUp(testbed, plan).run();
                    new Profiles(testbed, plan, work.resolve("profiles")).run().forEach(Bench::say);
                    lab.absent().forEach((absent, reason) -> say(absent + ": absent: " + reason));
                    return 0;
                }
                measure(testbed, plan, results, started);
            }
        }
        say("");
        var holds = Figures.holds(plan);
        say(new TextReport(results, holds).render());
        var page = work.resolve("bench.html");
        Files.writeString(page, new HtmlReport(results, holds).render());
        Files.writeString(work.resolve("bench.json"), new JsonReport(results, holds).render());
        say("Plots are in %s, every round is in bench.json beside it.".formatted(page));
        say("%.0f s in all.".formatted(seconds(started)));
        return 0;
    }

    private List<String> agentOptions() {
        return profile ? JfrProfiler.JVM_OPTIONS : List.of();
    }

    private static @Nullable Path other() {
        var program = System.getenv("LOAM_BENCH_PROXY");
        return program == null || program.isBlank() ? null : Path.of(program).toAbsolutePath();
    }

    private static void measure(Testbed testbed, BenchPlan plan, Results results, long started) throws IOException {
        var memory = new MemoryRows(testbed, plan);
        memory.idle();
        say("Warm-up, %.0f s so far.".formatted(seconds(started)));
        new WarmUp(testbed, plan).run();
        var rounds = new Rounds(testbed, plan);
        for (int round = 1; round <= plan.rounds(); round++) {
            if (seconds(started) > plan.noRoundAfter().toSeconds()) {
                results.remark("%d of %d rounds, so that the run ends in time".formatted(round - 1, plan.rounds()));
                break;
            }
            say("Round %d of %d, %.0f s so far.".formatted(round, plan.rounds(), seconds(started)));
            rounds.run(round);
        }
        say("Memory, %.0f s so far.".formatted(seconds(started)));
        memory.afterBulk(); // first: a heap that grew for 10,000 connections stays as large
        memory.withIdleConnections();
        say("Starts, %.0f s so far.".formatted(seconds(started)));
        new StartRows(testbed, plan).run();
    }

    /// Where it was interrupted; after an ordinary end there is nothing left to do.
    private void takeDown() {
        try {
            if (Lab.list().contains(name)) {
                Lab.down(name);
            }
        } catch (IOException e) {
            System.err.println("loam: " + e.getMessage());
        }
    }

    private static double seconds(long sinceNanos) {
        return (System.nanoTime() - sinceNanos) / 1e9;
    }

    private static void say(String line) {
        System.out.println(line);
    }
}
