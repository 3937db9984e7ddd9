package io.loam.runtime.tunnel;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslHandler;

/// TLS for one handshake after another with the same certificate and the same expected peers.
@FunctionalInterface
public interface ClientTls {
    /// @return a client handler that offers ALPN `h2`, sends no server name, and fails the handshake unless the peer
    ///     proves one of the identities of the key it was made for
    SslHandler newHandler(ByteBufAllocator allocator);
}
