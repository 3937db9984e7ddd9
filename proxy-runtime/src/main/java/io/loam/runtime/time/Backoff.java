package io.loam.runtime.time;

import java.time.Duration;
import java.util.random.RandomGenerator;

/// Growing pauses between attempts, with jitter, so that many clients of one server do not come back on one tick. Not
/// thread-safe: belongs to whoever attempts.
public final class Backoff {
    private final Duration first;
    private final Duration cap;
    private final double jitter;
    private final RandomGenerator random;
    private Duration next;

    /// @param jitter share by which a pause may be longer or shorter, 0 to 1
    public Backoff(Duration first, Duration cap, double jitter, RandomGenerator random) {
        this.first = first;
        this.cap = cap;
        this.jitter = jitter;
        this.random = random;
        this.next = first;
    }

    /// The pause before the next attempt; the one after that is twice as long, up to the cap.
    public Duration pause() {
        var base = next;
        var doubled = base.multipliedBy(2);
        next = doubled.compareTo(cap) > 0 ? cap : doubled;
        return Duration.ofNanos((long) (base.toNanos() * (1 + jitter * (2 * random.nextDouble() - 1))));
    }

    /// An attempt succeeded.
    public void reset() {
        next = first;
    }
}
