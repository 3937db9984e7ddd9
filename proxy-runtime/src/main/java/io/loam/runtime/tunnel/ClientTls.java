package io.loam.runtime.tunnel;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslHandler;

/// TLS for one handshake after another with the same certificate and the same expected peers.
public interface ClientTls {
    /// @return a client handler that offers ALPN `h2`, sends no server name, and fails the handshake unless the peer
    ///     proves one of the identities of the key it was made for
    SslHandler newHandler(ByteBufAllocator allocator);

    /// Calls `cut` once, on any thread, as soon as the peer's certificate is revoked (hazard I6).
    ///
    /// @param handler one of {@link #newHandler}, its handshake done
    /// @return ends the watch; to be run when the connection is closed
    Runnable whenRevoked(SslHandler handler, Runnable cut);
}
