package io.loam.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import io.loam.cli.lab.LabProcess;
import io.loam.cli.lab.RunningLab;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "up",
        mixinStandardHelpOptions = true,
        description = "Start a lab from Kubernetes YAML and wait until every pod is ready.",
        footer = {"", "Later edits of the files apply live."})
final class UpCommand implements Callable<Integer> {
    /// How often the lab is asked how far it is: often enough that starting does not feel slower than it is.
    private static final long ASK_MILLIS = 100;

    private final LabDirectory labs;
    private final LabProcess process;

    @Parameters(arity = "1..*", paramLabel = "FILE|DIR", description = "Kubernetes YAML; of a directory, all *.yaml.")
    private List<Path> files = List.of();

    @Option(
            names = {"--name", "--lab"},
            paramLabel = "NAME",
            defaultValue = "default",
            description = "Name of the lab (default: default). Several can run at once.")
    private String name = "default";

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            defaultValue = "60",
            description = "How long to wait until everything is ready (default: 60). The lab stays up afterwards.")
    private long timeoutSeconds = 60;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    UpCommand(LabDirectory labs, LabProcess process) {
        this.labs = labs;
        this.process = process;
    }

    @Override
    public Integer call() throws LabException {
        var lab = LabDirectory.checkedName(name);
        var absolute = new ArrayList<Path>();
        for (var file : files) {
            if (!Files.isReadable(file)) {
                throw new LabException(file + ": no such file or directory, or not readable", 2);
            }
            absolute.add(file.toAbsolutePath().normalize());
        }
        if (labs.running(lab).isPresent()) {
            throw new LabException(
                    "lab '" + lab + "' is running already: edits of its files apply live, 'loam down " + lab
                            + "' stops it, --name starts another",
                    2);
        }
        clearAway(lab);
        return startAndWait(lab, absolute);
    }

    /// A lab that was killed has left namespaces and links under the same names.
    private void clearAway(String lab) throws LabException {
        if (labs.names().contains(lab) && process.down(lab) != 0) {
            throw new LabException("what is left of lab '" + lab + "' cannot be removed: see above");
        }
    }

    private int startAndWait(String lab, List<Path> absolute) throws LabException {
        var err = spec.commandLine().getErr();
        var settled = new AtomicBoolean();
        var finished = new CountDownLatch(1);
        var interrupted = new Thread(() -> takeDownUnlessSettled(lab, settled, finished), "ctrl-c");
        Runtime.getRuntime().addShutdownHook(interrupted);
        var started = System.nanoTime();
        try {
            var daemon = process.start(lab, absolute);
            var outcome = await(
                    lab, daemon, started + Duration.ofSeconds(timeoutSeconds).toNanos(), err);
            settled.set(true);
            return outcome.map(reason -> {
                        err.println("loam: lab '" + lab + "': " + reason);
                        return 1;
                    })
                    .orElseGet(() -> announce(lab, started));
        } finally {
            settled.set(true);
            finished.countDown();
        }
    }

    private void takeDownUnlessSettled(String lab, AtomicBoolean settled, CountDownLatch finished) {
        if (settled.get()) {
            return;
        }
        System.err.println("loam: interrupted: taking lab '" + lab + "' down");
        try {
            process.down(lab);
        } catch (LabException e) {
            System.err.println("loam: " + e.getMessage());
        } finally {
            finished.countDown();
        }
    }

    /// @return why the lab is not ready, empty if it is
    private Optional<String> await(String lab, Process daemon, long deadline, PrintWriter err) throws LabException {
        @Nullable RunningLab running = null;
        var shown = "";
        while (System.nanoTime() < deadline) {
            if (!daemon.isAlive()) {
                return Optional.of("its process ended with code " + daemon.exitValue() + ": " + lastWords(lab));
            }
            if (running == null) {
                running = labs.running(lab).orElse(null);
            }
            if (running != null) {
                var status = running.status();
                switch (status.path("state").asText()) {
                    case "ready" -> {
                        printProblems(running, err);
                        return Optional.empty();
                    }
                    case "failed" -> {
                        printProblems(running, err);
                        return Optional.of(status.path("reason").asText("failed, see " + labs.log(lab)));
                    }
                    default -> shown = show(pending(status), shown, err);
                }
            }
            pause(daemon);
        }
        if (running == null) {
            return Optional.of("did not start within " + timeoutSeconds + " s: see " + labs.log(lab));
        }
        printProblems(running, err);
        return Optional.of("not ready within " + timeoutSeconds + " s, still pending: " + pending(running.status())
                + "; it stays up: 'loam get pods', 'loam logs POD', 'loam down " + lab + "'");
    }

    private static String pending(JsonNode status) {
        var names = new ArrayList<String>();
        status.path("pending").forEach(one -> names.add(one.asText()));
        var shownNames = names.subList(0, Math.min(3, names.size()));
        var more = names.size() - shownNames.size();
        return String.join("; ", shownNames) + (more > 0 ? "; and " + more + " more" : "");
    }

    private static String show(String pending, String shownBefore, PrintWriter err) {
        if (!pending.isEmpty() && !pending.equals(shownBefore)) {
            err.println("  waiting for " + pending);
            err.flush();
        }
        return pending;
    }

    /// Until the next question, or the end of the lab's process, whichever comes first.
    private static void pause(Process daemon) throws LabException {
        try {
            daemon.waitFor(ASK_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted");
        }
    }

    private static void printProblems(RunningLab lab, PrintWriter err) throws LabException {
        lab.problems().forEach(problem -> err.println(ProblemsCommand.line(problem)));
        err.flush();
    }

    private String lastWords(String lab) {
        try {
            var lines = Files.readAllLines(labs.log(lab));
            var said = lines.reversed().stream().filter(line -> !line.isBlank()).findFirst();
            return said.orElse("it said nothing") + " (all of it in " + labs.log(lab) + ")";
        } catch (IOException e) {
            return "and left no log (" + e.getMessage() + ")";
        }
    }

    private int announce(String lab, long started) {
        var millis = Duration.ofNanos(System.nanoTime() - started).toMillis();
        spec.commandLine().getOut().printf("lab '%s' is up (%.1f s): try 'loam get pods'%n", lab, millis / 1000.0);
        return 0;
    }
}
