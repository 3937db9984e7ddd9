package io.loam.lab.demo;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import io.loam.cli.lab.LabProcess;
import io.loam.cli.lab.LabStart;
import io.loam.cli.lab.RunningLab;
import io.loam.cli.lab.StartProgress;
import io.loam.lab.network.LabName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// The program behind `./loam demo`.
@Command(
        name = "demo",
        mixinStandardHelpOptions = true,
        description = "Start a shop on two nodes of this machine and show the mesh at work on it. Asks nothing.")
public final class Demo implements Callable<Integer> {
    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);

    /// What is worth reading of a log when something did not come out as announced.
    private static final int LAST_LINES = 15;

    @Option(names = "--keep", description = "Leave the lab running and print what to try.")
    private boolean keep;

    @Option(names = "--name", paramLabel = "NAME", defaultValue = "demo", description = "Name of the lab.")
    private String name = "demo";

    @Option(names = "--samples", required = true, hidden = true, description = "The checkout's samples.")
    private Path samples = Path.of("samples");

    @Option(names = "--work", required = true, hidden = true, description = "Where the lab's files go.")
    private Path work = Path.of("target", "demo");

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    public static void main(String[] args) {
        var command = new CommandLine(new Demo()).setExecutionExceptionHandler((failure, _, _) -> {
            if (failure instanceof LabException || failure instanceof IOException) {
                System.err.println("loam: " + failure.getMessage());
                return 1;
            }
            throw failure;
        });
        System.exit(command.execute(args));
    }

    @Override
    public Integer call() throws IOException, LabException, InterruptedException {
        var started = System.nanoTime();
        var lab = LabDirectory.checkedName(name);
        var files = copyOfShop();
        var process = new LabProcess(LabDirectory.OF_THIS_MACHINE);
        say("A shop on two nodes, alder and birch: nginx, Python's http.server, redis, curl, as Debian ships them.");
        RunningLab api;
        try (var progress = StartProgress.on(spec.commandLine().getErr())) {
            api = new LabStart(LabDirectory.OF_THIS_MACHINE, process)
                    .start(lab, List.of(files), null, START_TIMEOUT, progress);
        }
        say("Lab '%s' is up after %.1f s.".formatted(lab, seconds(started)));

        var mayStay = new AtomicBoolean();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> takeDown(process, lab, mayStay), "demo-end"));
        var shop = new ShopLab(new LabName(lab), api, files);
        var summary = new ShopTour(shop, samples, Demo::say).show();

        say("");
        say(summary.render());
        if (!summary.allHold()) {
            tellMore(shop);
            summary.failed()
                    .forEach(finding -> say("NOT as announced: " + finding.claim() + ": " + finding.measured()));
        }
        if (keep) {
            mayStay.set(true);
            tellWhatToTry(lab, files);
        }
        say("%s, %.1f s in all."
                .formatted(
                        summary.allHold() ? "Everything came out as announced" : "Not everything came out as announced",
                        seconds(started)));
        return summary.allHold() ? 0 : 1;
    }

    /// The demo edits its files while the lab runs; the samples stay as they are.
    private Path copyOfShop() throws IOException {
        var files = Files.createDirectories(work.toAbsolutePath().normalize());
        try (var old = Files.list(files)) {
            for (var file : old.toList()) {
                Files.delete(file);
            }
        }
        try (var originals = Files.list(samples.resolve("shop"))) {
            for (var original : originals.toList()) {
                Files.copy(original, files.resolve(original.getFileName()));
            }
        }
        return files;
    }

    private static void takeDown(LabProcess process, String lab, AtomicBoolean mayStay) {
        if (mayStay.get()) {
            return;
        }
        try {
            process.down(lab);
        } catch (LabException e) {
            System.err.println("loam: " + e.getMessage());
        }
    }

    private static void tellMore(ShopLab shop) throws IOException {
        for (var node : List.of("alder", "birch")) {
            var log = shop.agentLog(node);
            say("Last lines of " + log + ":");
            var lines = Files.exists(log) ? Files.readAllLines(log) : List.of("(there is no such file)");
            lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size()).forEach(line -> say("  " + line));
        }
    }

    private static void tellWhatToTry(String lab, Path files) {
        say("""
                The lab stays up. Try:
                  ./loam get pods --lab %1$s
                  ./loam exec --lab %1$s customer -- curl -s http://web.shop/api/products.json
                  ./loam logs --lab %1$s api
                  rm %2$s/no-crawlers.yaml; ./loam exec --lab %1$s crawler -- curl -s http://web.shop/
                  ./loam down %1$s
                """.formatted(lab, files));
    }

    private static double seconds(long sinceNanos) {
        return (System.nanoTime() - sinceNanos) / 1e9;
    }

    private static void say(String line) {
        System.out.println(line);
    }
}
