package io.loam.lab.bench.profile;

import io.loam.lab.command.Command;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// perf(1), for programs that are not Java. By its clock rather than the processor's counters, which virtual machines
/// seldom have.
public final class PerfProfiler implements Profiler {
    private static final int PER_SECOND = 333;
    private static final Duration TIMEOUT = Duration.ofSeconds(60);
    private static final long END_SECONDS = 10;
    private static final String KERNEL_SPACE = "([kernel";

    private final Path directory;

    /// @param directory for recordings, which are removed once they are read
    public PerfProfiler(Path directory) {
        this.directory = directory.toAbsolutePath();
    }

    @Override
    public Recording start(long pid) throws IOException {
        var file = directory.resolve(pid + ".perf");
        var log = directory.resolve("perf.log");
        var perf = new ProcessBuilder(
                        "perf",
                        "record",
                        "--event=cpu-clock",
                        "--freq=" + PER_SECOND,
                        "--call-graph=fp",
                        "--pid=" + pid,
                        "--output=" + file)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        return (into, root) -> {
            try {
                perf.destroy(); // SIGTERM: it writes its file and ends
                if (!perf.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
                    perf.destroyForcibly();
                    throw new IOException("perf does not end");
                }
                if (!Files.exists(file)) {
                    throw new IOException("perf: " + Files.readString(log).strip());
                }
                read(file, into, root);
            } catch (InterruptedException e) {
                perf.destroyForcibly();
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            } finally {
                Files.deleteIfExists(file);
            }
        };
    }

    private static void read(Path file, StackTree into, String root) throws IOException {
        var script = Command.result(List.of("perf", "script", "--fields=ip,sym,dso", "--input=" + file), "", TIMEOUT);
        if (script.exitCode() != 0) {
            throw new IOException(
                    "perf script: " + script.output().lines().findFirst().orElse("no output"));
        }
        parse(script.output(), into, root);
    }

    /// @param script per sample its frames, innermost first, one a line as `address symbol (file)`, then an empty line
    static void parse(String script, StackTree into, String root) {
        var frames = new ArrayList<String>();
        for (var line : (script + "\n\n").lines().toList()) {
            if (line.isBlank()) {
                if (!frames.isEmpty()) {
                    frames.add(root);
                    Collections.reverse(frames);
                    into.add(frames);
                    frames.clear();
                }
            } else {
                frame(line.strip(), frames);
            }
        }
    }

    private static void frame(String line, List<String> frames) {
        int space = line.indexOf(' ');
        int file = line.lastIndexOf(" (");
        if (space < 0 || file < space) {
            return; // a remark of perf's
        }
        var symbol = line.substring(space + 1, file).strip();
        var where = line.substring(file + 1);
        var name = symbol.equals("[unknown]") ? baseName(where) : symbol;
        frames.add(where.startsWith(KERNEL_SPACE) ? name + FlameGraph.KERNEL : name);
    }

    private static String baseName(String where) {
        var path = where.substring(1, where.length() - 1);
        return "in " + path.substring(path.lastIndexOf('/') + 1);
    }
}
