package io.loam.controlplane.push;

import java.time.Duration;

/// When a batch of changes is due: after a quiet time without further changes, but never later than the longest
/// wait after the first of them (hazard P9). Confined to one lock; times are `System.nanoTime` values.
final class PushSchedule {
    private final long quietNanos;
    private final long longestWaitNanos;
    private boolean pending;
    private long firstNanos;
    private long lastNanos;

    PushSchedule(Duration quiet, Duration longestWait) {
        this.quietNanos = quiet.toNanos();
        this.longestWaitNanos = longestWait.toNanos();
    }

    void changed(long nowNanos) {
        if (!pending) {
            pending = true;
            firstNanos = nowNanos;
        }
        lastNanos = nowNanos;
    }

    boolean isPending() {
        return pending;
    }

    /// @return 0 or less when it is due; only while a change is pending
    long nanosUntilDue(long nowNanos) {
        return Math.min(lastNanos + quietNanos - nowNanos, firstNanos + longestWaitNanos - nowNanos);
    }

    void taken() {
        pending = false;
    }
}
