package io.loam.it.cli;

import io.loam.it.programs.Programs;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// A program of ours in a process of its own, as `./loam` starts it.
final class LoamProgram {
    static final Path TOP = Path.of(System.getProperty("loam.top"));

    private static final long TIMEOUT_SECONDS = 300;

    private LoamProgram() {}

    /// @param output both streams, in the order in which they came
    record Outcome(int exitCode, String output) {}

    static Outcome loam(String... arguments) throws IOException, InterruptedException {
        return run("io.loam.cli.Main", arguments);
    }

    static Outcome demo(String... arguments) throws IOException, InterruptedException {
        return run("io.loam.lab.demo.Demo", arguments);
    }

    /// @param environment besides this process's own
    static Outcome bench(Map<String, String> environment, String... arguments)
            throws IOException, InterruptedException {
        return run("io.loam.lab.bench.Bench", environment, arguments);
    }

    private static Outcome run(String main, String... arguments) throws IOException, InterruptedException {
        return run(main, Map.of(), arguments);
    }

    /// The command while it runs; ended by the caller.
    static Process started(String... arguments) throws IOException {
        return start("io.loam.cli.Main", Map.of(), arguments);
    }

    private static Process start(String main, Map<String, String> environment, String... arguments) throws IOException {
        var command = new ArrayList<String>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(Programs.commandFlags());
        command.addAll(List.of("-cp", Programs.classPath(), main));
        command.addAll(List.of(arguments));
        var builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        var process = builder.start();
        process.getOutputStream().close();
        return process;
    }

    private static Outcome run(String main, Map<String, String> environment, String... arguments)
            throws IOException, InterruptedException {
        var process = start(main, environment, arguments);
        var killer = Thread.startVirtualThread(() -> {
            try {
                if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                }
            } catch (InterruptedException _) {
                // it ended in time
            }
        });
        var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        var exitCode = process.waitFor();
        killer.interrupt();
        return new Outcome(exitCode, output);
    }
}
