package io.loam.runtime.time;

import java.time.Duration;
import java.time.Instant;

/// Time as the proxy sees it. Tests bring their own and move it by hand.
public interface Timer {
    /// Wall clock: what certificates are compared with.
    Instant now();

    /// Runs `task` once, `delay` from now, on a thread of the timer's choosing; the task must not block.
    ///
    /// @param delay measured on a monotonic clock, so that a jump of the wall clock moves nothing; negative
    ///     means now
    Scheduled after(Duration delay, Runnable task);

    /// A task that may still be called off.
    interface Scheduled {
        /// Does nothing when the task ran or was cancelled before.
        void cancel();
    }
}
