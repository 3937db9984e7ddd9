package io.loam.protocol.hbone;

import io.netty.channel.EventLoop;
import java.util.Collection;
import java.util.IdentityHashMap;

/// The cap of the node on bytes held for applications that do not read (hazard T8), in equal shares for its event
/// loops, so that no loop asks another. Thread-safe; each share belongs to its loop.
public final class ReceiveBudgets {
    private final IdentityHashMap<EventLoop, ReceiveBudget> shares = new IdentityHashMap<>();

    /// @param loops all that carry tunnels; at least one
    /// @param nodeBytes for all of them together; at least 1 for each
    public ReceiveBudgets(Collection<EventLoop> loops, long nodeBytes) {
        for (var loop : loops) {
            shares.put(loop, new ReceiveBudget(nodeBytes / loops.size()));
        }
    }

    /// @throws IllegalArgumentException if the loop carries no tunnels
    public ReceiveBudget of(EventLoop loop) {
        var share = shares.get(loop);
        if (share == null) {
            throw new IllegalArgumentException("not a loop of tunnels: " + loop);
        }
        return share;
    }
}
