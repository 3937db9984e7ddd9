package io.loam.cni.command;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// Real processes. A program that is still running at its deadline is killed: `nft` and `ip` talk to the kernel
/// only, so one that hangs will not recover.
///
/// @param deadline for one program; at least 1 s
public record ProcessCommands(Duration deadline) implements Commands {
    /// Far above the 20 ms that a transaction takes, below the 30 s that a runtime waits for a sandbox.
    public static final Duration DEFAULT_DEADLINE = Duration.ofSeconds(10);

    public ProcessCommands {
        if (deadline.compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException("deadline: " + deadline + " (expected: >= PT1S)");
        }
    }

    @Override
    public String run(List<String> arguments, String input) throws CommandException {
        Process process;
        try {
            process = new ProcessBuilder(arguments).start();
        } catch (IOException e) {
            throw new CommandException(arguments, e);
        }
        // Both pipes are emptied while the program runs: a full one would stop it.
        var output = reading(process.getInputStream());
        var errors = reading(process.getErrorStream());
        try {
            writeInput(process, input);
            if (!process.waitFor(deadline.toNanos(), TimeUnit.NANOSECONDS)) {
                throw new CommandException(arguments, "still running after " + deadline, "");
            }
            var stderr = errors.get(1, TimeUnit.SECONDS);
            if (process.exitValue() != 0) {
                throw new CommandException(arguments, "exit code " + process.exitValue(), stderr);
            }
            return output.get(1, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException(arguments, "interrupted", "");
        } catch (ExecutionException | TimeoutException e) {
            throw new CommandException(arguments, new IOException("output unreadable", e));
        } finally {
            process.destroyForcibly();
        }
    }

    private static void writeInput(Process process, String input) {
        try (var stdin = process.getOutputStream()) {
            stdin.write(input.getBytes(StandardCharsets.UTF_8));
        } catch (IOException _) { // it ended without reading everything: its exit code tells why
        }
    }

    private static CompletableFuture<String> reading(InputStream stream) {
        var text = new CompletableFuture<String>();
        Thread.ofVirtual().start(() -> {
            try (stream) {
                text.complete(new String(stream.readAllBytes(), StandardCharsets.UTF_8));
            } catch (IOException e) {
                text.completeExceptionally(new UncheckedIOException(e));
            }
        });
        return text;
    }
}
