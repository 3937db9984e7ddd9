package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;

/// The answer to {@link StreamSource#open}. Exactly one of the first two methods is called, once, on the pool's event
/// loop, and neither after {@link io.loam.protocol.hbone.PendingConnect#cancel()}. Never from inside the call that
/// asked.
public interface PooledOpening {
    /// @param tunnel the connection that carries the stream, for logs
    /// @return who hears of the stream from now on
    TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream stream, ConnectResponse response);

    void onFailed(OpenFailure failure);

    /// One of the methods above threw. The stream, if there was one, has been reset; tunnel and pool go on.
    void onBug(Throwable cause);
}
