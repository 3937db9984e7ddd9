package io.loam.agent.inbound;

import io.loam.protocol.hbone.HboneServerHandler;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/// The tunnels that peers have to one pod. Thread-safe.
public final class InboundTunnels {
    private final Set<HboneServerHandler> open = ConcurrentHashMap.newKeySet();
    private final AtomicInteger accepted = new AtomicInteger();
    private volatile boolean draining;

    /// A peer's connection was accepted; its handshake is to come. Then {@link #leave} has to follow, once.
    void enter() {
        accepted.incrementAndGet();
    }

    /// Its socket is closed.
    void leave() {
        accepted.decrementAndGet();
    }

    /// Whether a peer may still open a stream: it has a tunnel, or is about to have one.
    public boolean any() {
        return accepted.get() > 0;
    }

    /// On the tunnel's loop, when it is in its pipeline.
    void add(HboneServerHandler tunnel) {
        open.add(tunnel);
        if (draining) { // its handshake was under way when the drain began
            tunnel.drain();
        }
    }

    void remove(HboneServerHandler tunnel) {
        open.remove(tunnel);
    }

    /// Ends each at once, with the streams on it.
    public void close() {
        for (var tunnel : open) {
            var _ = tunnel.channel().close();
        }
    }

    /// Sends GOAWAY on each: its streams finish, new ones go elsewhere.
    public void drain() {
        draining = true;
        open.forEach(tunnel -> tunnel.channel().eventLoop().execute(tunnel::drain));
    }
}
