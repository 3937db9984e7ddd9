package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.time.Duration;

/// Waits for one descriptor, at most until a deadline.
final class Poll {
    private static final long POLLFD_BYTES = 8; // int fd, short events, short revents

    private Poll() {}

    /// @param events POLLIN or POLLOUT
    /// @return false after `timeout`; true also when the other side has gone
    static boolean await(FileDescriptor descriptor, short events, Duration timeout) throws IOException {
        var deadlineNanos = System.nanoTime() + timeout.toNanos();
        try (var arena = Arena.ofConfined()) {
            var entry = arena.allocate(POLLFD_BYTES, 4);
            entry.set(JAVA_INT, 0, descriptor.requireOpen());
            entry.set(JAVA_SHORT, 4, events);
            while (true) {
                // Rounded up, so that the last round does not spin for a fraction of a millisecond.
                var leftMillis = Math.ceilDiv(deadlineNanos - System.nanoTime(), 1_000_000L);
                try {
                    var ready = Libc.poll(entry, 1, Math.clamp(leftMillis, 0, Integer.MAX_VALUE));
                    if (ready > 0) {
                        return true;
                    }
                } catch (LinuxException e) {
                    if (e.errno() != Libc.EINTR) {
                        throw e;
                    }
                }
                if (deadlineNanos - System.nanoTime() <= 0) {
                    return false;
                }
            }
        }
    }
}
