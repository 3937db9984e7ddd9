package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.PendingConnect;
import io.netty.channel.EventLoop;

/// The outbound tunnels of one local workload on one event loop. Everything happens on that loop; nothing is shared
/// with other loops or other workloads.
@SuppressWarnings("DoNotCallSuggester")
public final class TunnelPool implements AutoCloseable {
    private final EventLoop loop;

    public TunnelPool(EventLoop loop, TunnelSockets sockets, ClientTlsSource tls, TunnelPoolConfig config) {
        this.loop = loop;
        if (loop == null || sockets == null || tls == null || config == null) {
            throw new IllegalArgumentException("missing part");
        }
    }

    /// Asks the peer of `key` for a stream, on a tunnel that has room or on a new one.
    public PendingConnect open(TunnelKey key, ConnectRequest request, PooledOpening opening) {
        throw new UnsupportedOperationException("not yet: " + loop + key + request + opening);
    }

    /// Drains every tunnel: streams finish, new ones are refused.
    public void drain() {
        throw new UnsupportedOperationException("not yet");
    }

    /// Ends every tunnel at once and refuses whoever waits.
    @Override
    public void close() {
        throw new UnsupportedOperationException("not yet");
    }
}
