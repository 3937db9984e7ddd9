package io.loam.agent.workload;

import io.loam.agent.connections.ConnectionLimits;
import io.loam.agent.crash.PodMarks;
import io.loam.agent.pod.LocalPod;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.ReceiveBudgets;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.tunnel.ClientTlsSource;
import io.loam.runtime.tunnel.SocketLimitException;
import io.loam.runtime.tunnel.TunnelKey;
import io.loam.runtime.tunnel.TunnelPool;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.util.ArrayList;
import java.util.IdentityHashMap;

/// The outbound tunnels of one pod: a pool per event loop, shared with no other pod (wire reference, 2.6; hazard
/// T18).
final class PodTunnelPools {
    private final LocalPod pod;
    private final PodMarks marks;
    private final ConnectionLimits limits;
    private final IdentityHashMap<EventLoop, TunnelPool> pools = new IdentityHashMap<>();

    PodTunnelPools(
            LocalPod pod,
            PodMarks marks,
            EventLoops loops,
            CertificateSource certificates,
            ConnectionLimits limits,
            TunnelPoolConfig config,
            HboneConfig hbone,
            ReceiveBudgets budgets) {
        this.pod = pod;
        this.marks = marks;
        this.limits = limits;
        for (var loop : loops.workers()) {
            pools.put(
                    loop,
                    new TunnelPool(
                            loop,
                            key -> open(key, loop),
                            ClientTlsSource.of(certificates),
                            config,
                            hbone,
                            budgets.of(loop)));
        }
    }

    /// The map does not change any more, so every loop may ask.
    TunnelPool of(EventLoop loop) {
        var pool = pools.get(loop);
        if (pool == null) {
            throw new IllegalStateException("not a worker: " + loop);
        }
        return pool;
    }

    /// Running streams finish, then the tunnels close; streams that are asked for after this call get new ones. Not for
    /// event loops.
    void retire() {
        var told = new ArrayList<Future<?>>();
        pools.forEach((loop, pool) -> told.add(loop.submit(pool::retire)));
        told.forEach(Future::syncUninterruptibly);
    }

    /// Running streams finish, then the tunnels close.
    void drain() {
        pools.forEach((loop, pool) -> loop.execute(pool::drain));
    }

    /// Running streams end with their tunnels.
    void close() {
        pools.forEach((loop, pool) -> loop.execute(pool::close));
    }

    private Channel open(TunnelKey key, EventLoop loop) throws IOException {
        if (!limits.takeSocket(pod)) {
            throw new SocketLimitException();
        }
        Channel socket;
        try {
            socket = pod.sockets().dialling(key.destination().getAddress());
        } catch (IOException | RuntimeException e) {
            limits.giveSocket(pod);
            throw e;
        }
        try {
            pod.sockets().tunnel(socket);
        } catch (RuntimeException e) {
            socket.unsafe().closeForcibly(); // not registered yet: nobody would hear of its end
            limits.giveSocket(pod);
            throw e;
        }
        var _ = socket.closeFuture().addListener(_ -> limits.giveSocket(pod));
        marks.watch(socket.pipeline(), loop);
        return socket;
    }
}
