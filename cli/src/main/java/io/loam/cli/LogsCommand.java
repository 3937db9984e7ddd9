package io.loam.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "logs", mixinStandardHelpOptions = true, description = "What the programs of a pod printed.")
final class LogsCommand implements Callable<Integer> {
    private final LabDirectory labs;

    @Mixin
    private LabOption lab = new LabOption();

    @Parameters(index = "0", paramLabel = "POD", description = "[NAMESPACE/]NAME of a pod or Deployment.")
    private String pod = "";

    @Option(
            names = {"-f", "--follow"},
            description = "Go on until ctrl-C.")
    private boolean follow;

    @Option(
            names = {"-c", "--container"},
            paramLabel = "CONTAINER",
            description = "Only this container.")
    private Optional<String> container = Optional.empty();

    LogsCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        var files = new ArrayList<FollowedFile>();
        for (JsonNode file : lab.in(labs).logFiles(pod, container)) {
            files.add(new FollowedFile(Path.of(file.path("path").asText())));
        }
        try {
            do {
                var copied = 0L;
                for (var file : files) {
                    copied += file.copyNew(System.out);
                }
                System.out.flush();
                if (follow && copied == 0) {
                    Thread.sleep(100); // a person reads along: ten looks a second are enough
                }
            } while (follow && !System.out.checkError());
            return 0;
        } catch (IOException e) {
            throw new LabException("cannot read the log of " + pod + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return 0;
        }
    }

    /// A file that another process appends to, and how much of it has been shown.
    private static final class FollowedFile {
        private final Path path;
        private long shownBytes;

        FollowedFile(Path path) {
            this.path = path;
        }

        long copyNew(OutputStream out) throws IOException {
            if (Files.size(path) < shownBytes) {
                shownBytes = 0; // the container was started again with a new file
            }
            try (var in = Files.newInputStream(path)) {
                in.skipNBytes(shownBytes);
                var copied = in.transferTo(out);
                shownBytes += copied;
                return copied;
            }
        }
    }
}
