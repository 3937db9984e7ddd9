package io.loam.controlplane.xds;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/// Lets only so many proxies at once take the whole mesh, so that all of them coming back together does not need
/// memory for as many copies of it (hazard P8). Who waits is called in the order of arrival. Thread-safe.
final class FullSyncGate {
    private final int places;
    private final Duration longestHold;
    private final ScheduledExecutorService timer;
    /// Who is inside, with what throws them out.
    private final Map<Runnable, ScheduledFuture<?>> inside = new HashMap<>();
    private final Deque<Runnable> waiting = new ArrayDeque<>();

    /// @param longestHold after it the place is given to the next one, whatever became of the proxy that had it
    FullSyncGate(int places, Duration longestHold, ScheduledExecutorService timer) {
        this.places = places;
        this.longestHold = longestHold;
        this.timer = timer;
    }

    /// @param caller stands for the stream; run, on the timer's thread, when a place is free for it
    /// @return whether it may go on now
    synchronized boolean enter(Runnable caller) {
        if (inside.containsKey(caller)) {
            return true;
        }
        if (inside.size() < places && (waiting.isEmpty() || caller.equals(waiting.peek()))) {
            waiting.remove(caller);
            admit(caller);
            return true;
        }
        if (!waiting.contains(caller)) {
            waiting.add(caller);
        }
        return false;
    }

    /// The proxy has it, or is gone. Without effect for one that never entered.
    synchronized void leave(Runnable caller) {
        waiting.remove(caller);
        var expiry = inside.remove(caller);
        if (expiry != null) {
            expiry.cancel(false);
        }
        while (inside.size() < places && !waiting.isEmpty()) {
            var next = waiting.remove();
            admit(next);
            timer.execute(next);
        }
    }

    private void admit(Runnable caller) {
        inside.put(caller, timer.schedule(() -> leave(caller), longestHold.toMillis(), TimeUnit.MILLISECONDS));
    }
}
