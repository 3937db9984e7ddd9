package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.PendingConnect;
import io.loam.protocol.hbone.ReceiveBudget;
import io.netty.channel.EventLoop;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// The outbound tunnels of one local workload on one event loop. Everything happens on that loop; nothing is shared
/// with other loops or other workloads, so nothing is locked and no tunnel can carry another workload's stream
/// (hazard T18).
///
/// For each peer (a {@link TunnelKey}) there is a {@link PeerTunnels}: its tunnels, the one dial in progress, and
/// who waits for it.
public final class TunnelPool implements StreamSource, AutoCloseable {
    private final PoolParts parts;
    private final RunningDial.Maker dials;
    private final Map<TunnelKey, PeerTunnels> peers = new HashMap<>();
    private boolean draining;
    private boolean closed;

    /// @param loop owns the pool and every tunnel in it; all methods are called on it
    /// @param hbone what the tunnels tell their peers
    /// @param budget of the loop
    public TunnelPool(
            EventLoop loop,
            TunnelSockets sockets,
            ClientTlsSource tls,
            TunnelPoolConfig config,
            HboneConfig hbone,
            ReceiveBudget budget) {
        this(new PoolParts(loop, sockets, tls, config, hbone, budget), Dial::new);
    }

    /// Where nobody else has tunnels on the loop.
    public TunnelPool(
            EventLoop loop, TunnelSockets sockets, ClientTlsSource tls, TunnelPoolConfig config, HboneConfig hbone) {
        this(loop, sockets, tls, config, hbone, ReceiveBudget.unlimited());
    }

    TunnelPool(PoolParts parts, RunningDial.Maker dials) {
        this.parts = parts;
        this.dials = dials;
    }

    /// On a tunnel that has room or on a new one.
    @Override
    public PendingConnect open(TunnelKey key, ConnectRequest request, PooledOpening opening) {
        var checkout = new Checkout(this, key, parts.loop(), request, opening);
        if (closed) {
            checkout.failLater(new OpenFailure.PoolClosed());
        } else {
            peer(key).enqueue(checkout);
        }
        return checkout;
    }

    /// Asks again for a connection whose tunnel could not serve it. If that was the last one, the peer may have
    /// been forgotten with it: it is looked up anew, or no drain and no close would reach the next tunnel.
    void retry(TunnelKey key, Checkout checkout) {
        if (closed) {
            checkout.fail(new OpenFailure.PoolClosed());
        } else {
            peer(key).retry(checkout);
        }
    }

    /// Whoever waits does so at a peer that is known here.
    void forget(TunnelKey key, Checkout cancelled) {
        var peer = peers.get(key);
        if (peer != null) {
            peer.forget(cancelled);
        }
    }

    private PeerTunnels peer(TunnelKey key) {
        return peers.computeIfAbsent(key, this::newPeer);
    }

    private PeerTunnels newPeer(TunnelKey key) {
        var peer = new PeerTunnels(key, parts, dials, unused -> peers.remove(key, unused));
        if (draining) {
            peer.drain();
        }
        return peer;
    }

    /// Tunnels that are connected, draining ones included.
    public int tunnels() {
        int sum = 0;
        for (var peer : peers.values()) {
            sum += peer.tunnels();
        }
        return sum;
    }

    /// Connections that wait for a tunnel.
    public int waiting() {
        int sum = 0;
        for (var peer : peers.values()) {
            sum += peer.waiting();
        }
        return sum;
    }

    /// Peers that have a tunnel, a dial or somebody who waits.
    int peers() {
        return peers.size();
    }

    /// Streams finish, then their tunnels close. New streams get new tunnels.
    public void retire() {
        List.copyOf(peers.values()).forEach(PeerTunnels::retire);
    }

    /// No connections are accepted any more: streams finish, then their tunnels close. Connections that were
    /// accepted before, and wait for a tunnel or have yet to ask for one, still get it (hazard P1).
    public void drain() {
        draining = true;
        List.copyOf(peers.values()).forEach(PeerTunnels::drain);
    }

    /// Ends every tunnel at once, and refuses whoever waits.
    @Override
    public void close() {
        closed = true;
        List.copyOf(peers.values()).forEach(PeerTunnels::close);
    }
}
