package io.loam.agent.dns;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// How much is under way at one time, of a pod or of the node. Thread-safe.
final class InFlight {
    private final AtomicInteger entered = new AtomicInteger();
    private final int most;
    private final Refusal refusal;

    /// @param most 1 or more
    /// @param refusal what is said to those who are too many
    InFlight(int most, Refusal refusal) {
        this.most = most;
        this.refusal = refusal;
    }

    /// @return null if there was room; then {@link #leave} has to be called once
    @Nullable
    Refusal enter() {
        if (entered.incrementAndGet() > most) {
            entered.decrementAndGet();
            return refusal;
        }
        return null;
    }

    void leave() {
        entered.decrementAndGet();
    }

    int count() {
        return entered.get();
    }
}
