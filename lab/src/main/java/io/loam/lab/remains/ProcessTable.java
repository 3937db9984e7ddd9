package io.loam.lab.remains;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;

/// The processes of this machine, as `/proc` shows them.
public final class ProcessTable {
    private static final Path PROC = Path.of("/proc");
    private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private ProcessTable() {}

    /// A process that cannot be mistaken for a later one of the same number.
    ///
    /// @param startTicks clock ticks from boot to its start, field 22 of `/proc/PID/stat`
    public record ProcessId(long pid, long startTicks) {
        public static ProcessId of(long pid) throws IOException {
            return new ProcessId(pid, stat(pid).startTicks);
        }

        /// Still there and not merely waiting for its parent to take its exit code.
        public boolean isAlive() {
            try {
                var stat = stat(pid);
                return stat.startTicks == startTicks && stat.state != 'Z';
            } catch (IOException _) {
                return false;
            }
        }
    }

    /// @param inodes of network namespaces
    public static List<ProcessId> inNetworks(Set<Long> inodes) throws IOException {
        if (inodes.isEmpty()) {
            return List.of();
        }
        return all(process -> {
            var target =
                    Files.readSymbolicLink(PROC.resolve(process + "/ns/net")).toString();
            return inodes.contains(Long.parseLong(target, "net:[".length(), target.length() - 1, 10));
        });
    }

    /// The processes of a session (setsid(2)): a program and all it started, except what made itself a daemon.
    public static List<ProcessId> inSession(long leader) throws IOException {
        return all(process -> stat(process).session == leader);
    }

    /// The inode of a mounted namespace, or empty if there is none.
    public static OptionalLong inode(Path netns) {
        try {
            return OptionalLong.of((Long) Files.getAttribute(netns, "unix:ino"));
        } catch (IOException _) {
            return OptionalLong.empty();
        }
    }

    private static List<ProcessId> all(Condition condition) throws IOException {
        var found = new ArrayList<ProcessId>();
        try (var entries = Files.newDirectoryStream(PROC, "[0-9]*")) {
            for (var entry : entries) {
                long pid = Long.parseLong(entry.getFileName().toString());
                try {
                    if (condition.holds(pid)) {
                        found.add(ProcessId.of(pid));
                    }
                } catch (IOException _) {
                    // It ended while we looked, or is a zombie, which has no namespaces any more.
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return found;
    }

    @FunctionalInterface
    private interface Condition {
        boolean holds(long pid) throws IOException;
    }

    private record Stat(char state, long session, long startTicks) {}

    /// proc_pid_stat(5); the name in field 2 may contain anything, so counting starts behind its last bracket.
    private static Stat stat(long pid) throws IOException {
        var line = Files.readString(PROC.resolve(pid + "/stat"), StandardCharsets.ISO_8859_1);
        var fields = line.substring(line.lastIndexOf(')') + 2).split(" ");
        return new Stat(fields[0].charAt(0), Long.parseLong(fields[3]), Long.parseLong(fields[19]));
    }

    /// Asks processes to end (SIGTERM, unless `grace` is zero), waits, and kills those that did not (SIGKILL). Looks
    /// again each time, so that what they start meanwhile ends as well.
    ///
    /// @param look the processes that are still to end
    /// @return those that even SIGKILL did not end within 5 s
    public static List<ProcessId> end(Look look, Duration grace) throws IOException {
        if (!grace.isZero()) {
            signal(look.processes(), false);
        }
        var left = await(look, grace);
        if (left.isEmpty()) {
            return left;
        }
        return awaitNone(look, Duration.ofSeconds(5), processes -> {
            signal(processes, true);
            return false;
        });
    }

    /// Waits until all have ended.
    ///
    /// @return those that have not
    public static List<ProcessId> await(Look look, Duration atMost) throws IOException {
        return awaitNone(look, atMost, _ -> false);
    }

    private static List<ProcessId> awaitNone(Look look, Duration atMost, Predicate<List<ProcessId>> meanwhile)
            throws IOException {
        long deadline = System.nanoTime() + atMost.toNanos();
        while (true) {
            var left = look.processes().stream().filter(ProcessId::isAlive).toList();
            if (left.isEmpty() || System.nanoTime() - deadline > 0 || meanwhile.test(left)) {
                return left;
            }
            LockSupport.parkNanos(POLL_NANOS);
            if (Thread.interrupted()) {
                Thread.currentThread().interrupt();
                return left;
            }
        }
    }

    /// @param hard SIGKILL instead of SIGTERM
    public static void signal(List<ProcessId> processes, boolean hard) {
        long self = ProcessHandle.current().pid();
        for (var process : processes) {
            if (process.pid() != self && process.isAlive()) {
                ProcessHandle.of(process.pid()).ifPresent(handle -> {
                    var sent = hard ? handle.destroyForcibly() : handle.destroy();
                    assert sent || !process.isAlive();
                });
            }
        }
    }

    /// Which processes something consists of at the moment.
    @FunctionalInterface
    public interface Look {
        List<ProcessId> processes() throws IOException;
    }
}
