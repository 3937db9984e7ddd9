package io.loam.lab.bench.profile;

import io.loam.lab.command.Command;
import io.loam.lab.command.CommandFailedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordedFrame;
import jdk.jfr.consumer.RecordingFile;

/// JDK Flight Recorder's samples by CPU time (JEP 509): time in the kernel and in native libraries counts towards the
/// Java
/// method that called them. The process has to run with {@link #JVM_OPTIONS}.
public final class JfrProfiler implements Profiler {
    /// Attaching is how recordings start and end; agents forbid it otherwise. Frames are exact also between the points
    /// where the compiler keeps track of them by itself.
    public static final List<String> JVM_OPTIONS = List.of(
            "-XX:-DisableAttachMechanism",
            "-XX:+UnlockDiagnosticVMOptions",
            "-XX:+DebugNonSafepoints",
            "-XX:FlightRecorderOptions=stackdepth=192");

    private static final String SAMPLE = "jdk.CPUTimeSample";
    private static final String NAME = "bench";

    /// Not a multiple of what timers in the proxy use.
    private static final String EVERY = "3ms";

    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final Path directory;

    /// @param directory for recordings, which are removed once they are read
    public JfrProfiler(Path directory) {
        this.directory = directory.toAbsolutePath();
    }

    @Override
    public Recording start(long pid) throws IOException {
        jcmd(
                pid,
                "JFR.start",
                "name=" + NAME,
                "settings=none",
                "+" + SAMPLE + "#enabled=true",
                "+" + SAMPLE + "#throttle=" + EVERY);
        return (into, root) -> {
            var file = directory.resolve(pid + ".jfr");
            jcmd(pid, "JFR.stop", "name=" + NAME, "filename=" + file);
            try (var recording = new RecordingFile(file)) {
                while (recording.hasMoreEvents()) {
                    var event = recording.readEvent();
                    if (event.getEventType().getName().equals(SAMPLE)) {
                        into.add(frames(root, event));
                    }
                }
            } finally {
                Files.deleteIfExists(file);
            }
        };
    }

    private static void jcmd(long pid, String... order) throws IOException {
        var argv = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(), Long.toString(pid)));
        argv.addAll(List.of(order));
        var result = Command.result(argv, "", TIMEOUT);
        if (result.exitCode() != 0) {
            throw new CommandFailedException("jcmd " + order[0], result.exitCode(), result.output());
        }
    }

    private static List<String> frames(String root, RecordedEvent event) {
        var frames = new ArrayList<String>();
        frames.add(root);
        var thread = event.getThread("eventThread");
        frames.add(thread == null || thread.getJavaName() == null ? "JVM" : "thread " + thread.getJavaName());
        var stack = event.getStackTrace();
        if (stack == null) {
            frames.add("stack not readable");
        } else {
            stack.getFrames().reversed().forEach(frame -> frames.add(name(frame)));
        }
        return frames;
    }

    private static String name(RecordedFrame frame) {
        var type = frame.getMethod().getType().getName();
        return type.substring(type.lastIndexOf('.') + 1) + "."
                + frame.getMethod().getName();
    }
}
