package io.loam.protocol.hbone;

import java.util.concurrent.TimeUnit;

/// How many events of one kind a peer may cause in a span of time before it is an attack. Counts in fixed windows:
/// cheap, and off by at most a factor of two at the border between two of them.
final class EventBudget {
    private final int limit;
    private final long windowNanos;
    private long windowStartNanos;
    private int seen;

    EventBudget(int limit, int windowSeconds, long nowNanos) {
        this.limit = limit;
        this.windowNanos = TimeUnit.SECONDS.toNanos(windowSeconds);
        this.windowStartNanos = nowNanos;
    }

    /// Counts one event.
    ///
    /// @return whether it is one too many
    boolean exceededBy(long nowNanos) {
        if (nowNanos - windowStartNanos >= windowNanos) {
            windowStartNanos = nowNanos;
            seen = 0;
        }
        return ++seen > limit;
    }
}
