package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;

/// Limits of this process (getrlimit(2)).
public final class ResourceLimits {
    private ResourceLimits() {}

    /// How many descriptors this process has open.
    public static long openFiles() throws IOException {
        try (var descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.count() - 1; // without the one that reads the list
        }
    }

    /// Raises the number of files this process may open to what it is allowed to allow itself.
    ///
    /// @return the limit now in force
    public static long raiseOpenFiles() throws IOException {
        try (var arena = Arena.ofConfined()) {
            var limits = arena.allocate(2 * Long.BYTES, 8); // rlim_cur, rlim_max
            Libc.getrlimit(Libc.RLIMIT_NOFILE, limits);
            limits.set(JAVA_LONG, 0, limits.get(JAVA_LONG, Long.BYTES));
            Libc.setrlimit(Libc.RLIMIT_NOFILE, limits);
            return limits.get(JAVA_LONG, 0);
        }
    }
}
