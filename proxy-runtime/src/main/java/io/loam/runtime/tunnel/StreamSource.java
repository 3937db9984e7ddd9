package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.PendingConnect;

/// Who gives streams to peers; {@link TunnelPool} outside of tests.
public interface StreamSource {
    /// Asks the peer of `key` for a stream. On the event loop that the source belongs to.
    PendingConnect open(TunnelKey key, ConnectRequest request, PooledOpening opening);
}
