package io.loam.lab.command;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/// Runs a program to its end and takes what it prints. Blocking, meant for virtual threads; an interrupt kills the
/// program.
public final class Command {
    private Command() {}

    /// @param exitCode 128 + signal where a signal ended it
    /// @param output what went to standard output and standard error, in the order it came
    public record Result(int exitCode, String output) {}

    /// @return what it printed
    /// @throws CommandFailedException if it ends with something other than 0
    public static String run(List<String> argv) throws IOException {
        return checked(argv, "");
    }

    /// Feeds a script to a shell that stops at the first command that fails.
    public static String script(String script) throws IOException {
        return checked(List.of("/bin/sh", "-e", "-s"), script);
    }

    private static String checked(List<String> argv, String input) throws IOException {
        var result = result(argv, input, Duration.ofMinutes(1));
        if (result.exitCode() != 0) {
            throw new CommandFailedException(
                    argv.getFirst().equals("/bin/sh") ? "setting up" : String.join(" ", argv),
                    result.exitCode(),
                    result.output());
        }
        return result.output();
    }

    /// @param timeout after which it is killed
    /// @throws IOException if it cannot be started, or does not end in time
    public static Result result(List<String> argv, String input, Duration timeout) throws IOException {
        var process = new ProcessBuilder(argv).redirectErrorStream(true).start();
        try {
            var output = new CompletableFuture<byte[]>();
            Thread.startVirtualThread(() -> {
                try (var stream = process.getInputStream()) {
                    output.complete(stream.readAllBytes());
                } catch (IOException e) {
                    output.completeExceptionally(e);
                }
            });
            try (var stdin = process.getOutputStream()) {
                stdin.write(input.getBytes(StandardCharsets.UTF_8));
            } catch (IOException _) {
                // It ended without reading: its exit code and output say why.
            }
            if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new IOException(argv.getFirst() + " did not end within " + timeout.toMillis() + " ms");
            }
            // A program it left behind may hold the stream open: what came so far is lost then, the exit code is not.
            var bytes =
                    output.completeOnTimeout(new byte[0], 1, TimeUnit.SECONDS).join();
            return new Result(process.exitValue(), new String(bytes, StandardCharsets.UTF_8));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException(argv.getFirst() + " was interrupted").initCause(e);
        } finally {
            process.destroyForcibly();
        }
    }
}
