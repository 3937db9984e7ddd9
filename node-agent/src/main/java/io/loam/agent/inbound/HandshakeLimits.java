package io.loam.agent.inbound;

import java.net.InetAddress;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/// How many peers of this node may be on their way from the accept to a verified certificate at one time (hazard T12).
/// A handshake costs some hundred times what opening a connection costs, so whoever only opens connections must not
/// be able to keep everybody else out.
///
/// Thread-safe.
final class HandshakeLimits {
    /// A node whose agent restarts meets this many peers at once; at 16 KiB each that is 8 MiB.
    static final int TOTAL = 512;

    /// One peer address is one pod, as a rule: a tunnel per event loop and identity is all it needs.
    static final int PER_SOURCE = 64;

    private final AtomicInteger total = new AtomicInteger();
    private final ConcurrentHashMap<InetAddress, Integer> bySource = new ConcurrentHashMap<>();

    /// @return whether one more may begin; then {@link #leave} has to follow, once
    boolean enter(InetAddress source) {
        if (total.incrementAndGet() > TOTAL) {
            total.decrementAndGet();
            return false;
        }
        if (bySource.merge(source, 1, Integer::sum) > PER_SOURCE) {
            leave(source);
            return false;
        }
        return true;
    }

    /// The peer is proved, refused or gone.
    void leave(InetAddress source) {
        bySource.computeIfPresent(source, (_, count) -> count == 1 ? null : count - 1);
        total.decrementAndGet();
    }

    /// In progress now.
    int size() {
        return total.get();
    }

    /// Addresses with at least one in progress.
    int sources() {
        return bySource.size();
    }
}
