package io.loam.cli;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import io.loam.cli.lab.LabStart;
import io.loam.cli.lab.StartProgress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
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
    private final LabDirectory labs;
    private final LabStart start;

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

    @Option(
            names = "--ca",
            paramLabel = "DIR",
            description = "Sign with the CA in this directory: ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem."
                    + " Without it the lab makes one.")
    private @Nullable Path authority;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    UpCommand(LabDirectory labs, LabStart start) {
        this.labs = labs;
        this.start = start;
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
        var err = spec.commandLine().getErr();
        var started = System.nanoTime();
        try (var progress = StartProgress.on(err)) {
            start.start(lab, absolute, authority(), Duration.ofSeconds(timeoutSeconds), progress);
        } finally {
            printProblems(lab);
        }
        var millis = Duration.ofNanos(System.nanoTime() - started).toMillis();
        spec.commandLine().getOut().printf("lab '%s' is up (%.1f s): try 'loam get pods'%n", lab, millis / 1000.0);
        return 0;
    }

    private @Nullable Path authority() throws LabException {
        if (authority == null) {
            return null;
        }
        if (!Files.isDirectory(authority)) {
            throw new LabException("--ca " + authority + ": no such directory", 2);
        }
        return authority.toAbsolutePath().normalize();
    }

    /// Also of a lab that did not get ready: they are usually why.
    private void printProblems(String lab) throws LabException {
        var running = labs.running(lab);
        if (running.isPresent()) {
            running.get()
                    .problems()
                    .forEach(problem -> spec.commandLine().getErr().println(ProblemsCommand.line(problem)));
        }
    }
}
