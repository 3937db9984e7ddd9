package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.Tunnel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The tunnels to one peer, in the order they were made. A stream takes the first that has room, so that a second
/// tunnel is used only while the first is full, and can go when it is idle.
///
/// At most one dial is in progress (hazard T16). Everybody who finds no room waits for it; when it succeeds they
/// share the new tunnel as far as its limit goes and the rest wait for the next dial; when it fails they share the
/// failure.
final class PeerTunnels {
    private final TunnelKey key;
    private final PoolParts parts;
    private final Consumer<PeerTunnels> whenUnused;
    private final List<PooledTunnel> tunnels = new ArrayList<>();
    private final ArrayDeque<Checkout> waiting = new ArrayDeque<>();
    private @Nullable Dial dial;
    private boolean serving;
    private boolean draining;

    /// @param whenUnused is given this object when it has no tunnel, no dial and nobody who waits; it is not asked any
    ///     more afterwards
    PeerTunnels(TunnelKey key, PoolParts parts, Consumer<PeerTunnels> whenUnused) {
        this.key = key;
        this.parts = parts;
        this.whenUnused = whenUnused;
    }

    int tunnels() {
        return tunnels.size();
    }

    int waiting() {
        return waiting.size();
    }

    void enqueue(Checkout checkout) {
        if (waiting.size() >= parts.config().maxWaiting()) {
            checkout.failLater(new OpenFailure.TooManyWaiting(waiting.size()));
            return;
        }
        waiting.addLast(checkout);
        serve();
    }

    /// Asks again, before those that came later.
    void retry(Checkout checkout) {
        waiting.addFirst(checkout);
        serve();
    }

    void forget(Checkout cancelled) {
        waiting.remove(cancelled);
        removeIfUnused();
    }

    private void serve() {
        if (serving) {
            return; // a tunnel said that it has room while we were asking it
        }
        serving = true;
        try {
            while (!waiting.isEmpty()) {
                var tunnel = firstWithRoom();
                if (tunnel == null) {
                    dialIfNone();
                    return;
                }
                tunnel.checkOut(waiting.removeFirst());
            }
        } finally {
            serving = false;
        }
    }

    private @Nullable PooledTunnel firstWithRoom() {
        for (int i = 0;
                i < tunnels.size();
                i++) { // an index, because an iterator would be allocated for each connection
            var tunnel = tunnels.get(i);
            if (tunnel.hasRoom()) {
                return tunnel;
            }
        }
        return null;
    }

    private void dialIfNone() {
        if (dial == null) {
            dial = new Dial(key, parts, this);
            dial.start();
        }
    }

    // --- what a dial says ---

    void onDialled(Tunnel tunnel) {
        dial = null;
        if (tunnel.maxStreams() < 1) {
            tunnel.close();
            failWaiting(new OpenFailure.SetupFailed("peer allows no streams"));
            return;
        }
        var pooled = new PooledTunnel(tunnel, parts);
        tunnels.add(pooled);
        var _ = tunnel.channel().closeFuture().addListener(_ -> remove(pooled));
        pooled.watchIdle();
        serve();
        if (draining) {
            pooled.drain();
        }
    }

    void onDialFailed(OpenFailure failure) {
        dial = null;
        failWaiting(failure);
    }

    private void failWaiting(OpenFailure failure) {
        // Those that come while these are told belong to the next dial.
        for (int i = waiting.size(); i > 0; i--) {
            var checkout = waiting.poll();
            if (checkout == null) {
                break;
            }
            checkout.fail(failure);
        }
        removeIfUnused();
    }

    // --- what a tunnel says ---

    void onRoom() {
        serve();
    }

    private void remove(PooledTunnel gone) {
        gone.forgetIdle();
        tunnels.remove(gone);
        if (!waiting.isEmpty()) {
            serve();
        }
        removeIfUnused();
    }

    private void removeIfUnused() {
        if (tunnels.isEmpty() && waiting.isEmpty() && dial == null) {
            whenUnused.accept(this);
        }
    }

    /// Who waits goes on waiting: for a dial, or for room that there is not.
    void retire() {
        List.copyOf(tunnels).forEach(PooledTunnel::drain);
    }

    /// Whoever waits gets its tunnel, and so does who comes late; no tunnel is kept for others.
    void drain() {
        draining = true;
        List.copyOf(tunnels).forEach(PooledTunnel::drain);
    }

    void close() {
        if (dial != null) {
            dial.cancel();
            dial = null;
        }
        failWaiting(new OpenFailure.PoolClosed());
        List.copyOf(tunnels).forEach(PooledTunnel::close);
    }
}
