package io.loam.agent.pod;

import java.util.concurrent.atomic.AtomicInteger;

/// How many of something are held. Thread-safe.
public final class Quota {
    private final AtomicInteger held = new AtomicInteger();

    /// @param limit nothing is taken when that many are held already
    /// @return whether one was taken; then {@link #giveBack} has to follow, once
    public boolean take(int limit) {
        if (held.incrementAndGet() > limit) {
            held.decrementAndGet();
            return false;
        }
        return true;
    }

    /// Takes one whatever the limit: for what cannot be refused any more.
    public void hold() {
        held.incrementAndGet();
    }

    public void giveBack() {
        held.decrementAndGet();
    }

    public int held() {
        return held.get();
    }
}
