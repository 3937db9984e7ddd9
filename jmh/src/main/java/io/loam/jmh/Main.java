package io.loam.jmh;

import io.loam.agent.AgentJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `./loam jmh`: measures, keeps the results, plots them.
@Command(
        name = "loam jmh",
        mixinStandardHelpOptions = true,
        description = "Measures what the hot path costs: time and heap bytes per operation.")
public final class Main implements Callable<Integer> {
    /// The agent's own heap is too small for a mesh of 100,000 workloads; the last flag of a kind counts.
    private static final String HEAP = "-Xmx2g";

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "REGEX",
            defaultValue = ".*",
            description = "Benchmarks to run, by class and method. Default: all.")
    private String benchmarks = ".*";

    @Option(
            names = "--results",
            paramLabel = "FILE",
            description = "JSON lines are appended to it, and FILE.html is drawn from all of them."
                    + " Default: ${DEFAULT-VALUE}")
    private Path results = Path.of("target/jmh/results.jsonl");

    @Option(names = "--quick", description = "Short iterations: for allocation, not for time.")
    private boolean quick;

    @Option(names = "--commit", hidden = true, description = "What is measured; the launcher asks git.")
    private String commit = "unknown";

    private Main() {}

    public static void main(String... arguments) {
        System.exit(new CommandLine(new Main()).execute(arguments));
    }

    @Override
    public Integer call() throws IOException, RunnerException {
        var date = Instant.now().truncatedTo(ChronoUnit.SECONDS);
        var host = HostFacts.ofThisMachine();
        var outcome = new Runner(options()).run();
        var measured = outcome.stream()
                .map(result -> Measurement.of(result, date, commit, host, quick))
                .toList();
        var file = new Results(results);
        file.append(measured);
        var plot = results.resolveSibling(results.getFileName() + ".html");
        Files.writeString(plot, new Plot(file.all()).html());
        print(measured);
        System.out.println("\nresults: " + results + "\nplot:    " + plot);
        return 0;
    }

    private org.openjdk.jmh.runner.options.Options options() {
        var jvm = new ArrayList<>(AgentJvm.flags(1));
        jvm.add(HEAP);
        ChainedOptionsBuilder options = new OptionsBuilder()
                .include(benchmarks)
                .mode(Mode.AverageTime)
                .timeUnit(TimeUnit.NANOSECONDS)
                .addProfiler(GCProfiler.class)
                .shouldFailOnError(true)
                .forks(1)
                .jvmArgs(jvm.toArray(String[]::new));
        return quick
                ? iterations(options, 2, 3, 300).build()
                : iterations(options, 5, 5, 1000).build();
    }

    private static ChainedOptionsBuilder iterations(
            ChainedOptionsBuilder options, int warmup, int measured, int millis) {
        return options.warmupIterations(warmup)
                .warmupTime(TimeValue.milliseconds(millis))
                .measurementIterations(measured)
                .measurementTime(TimeValue.milliseconds(millis));
    }

    private static void print(List<Measurement> measured) {
        int width = measured.stream().mapToInt(m -> m.series().length()).max().orElse(0);
        for (var m : measured) {
            System.out.printf(
                    Locale.ROOT,
                    "%-" + width + "s  %,14.1f ± %,.1f %s  %,12.1f B/op%n",
                    m.series(),
                    m.score(),
                    m.error(),
                    m.unit(),
                    m.bytesPerOperation());
        }
    }
}
