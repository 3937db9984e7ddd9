package io.loam.cli;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "exec",
        mixinStandardHelpOptions = true,
        description = "Run a command inside a pod: its network, its files, its environment.",
        customSynopsis = "loam exec [--lab NAME] [-c CONTAINER] POD -- CMD [ARG..]")
final class ExecCommand implements Callable<Integer> {
    private final LabDirectory labs;

    @Mixin
    private LabOption lab = new LabOption();

    @Option(
            names = {"-c", "--container"},
            paramLabel = "CONTAINER",
            description = "Whose files and environment (default: the first).")
    private Optional<String> container = Optional.empty();

    @Parameters(index = "0", paramLabel = "POD", description = "[NAMESPACE/]NAME of a pod or Deployment.")
    private String pod = "";

    @Parameters(index = "1..*", arity = "1..*", paramLabel = "CMD", description = "The command and its arguments.")
    private List<String> command = List.of();

    ExecCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        var entry = lab.in(labs).entryInto(pod, container);
        var argv = new ArrayList<String>();
        entry.path("argv").forEach(word -> argv.add(word.asText()));
        argv.addAll(command);
        try {
            // The terminal belongs to the command inside: it gets ctrl-C itself, we report how it ended.
            var inside = new ProcessBuilder(argv).inheritIO().start();
            return waitFor(inside);
        } catch (IOException e) {
            throw new LabException("cannot enter pod " + pod + ": " + e.getMessage());
        }
    }

    private static int waitFor(Process inside) throws LabException {
        try {
            return inside.waitFor();
        } catch (InterruptedException e) {
            inside.destroy();
            Thread.currentThread().interrupt();
            throw new LabException("interrupted");
        }
    }
}
