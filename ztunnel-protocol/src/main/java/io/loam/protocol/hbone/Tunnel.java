package io.loam.protocol.hbone;

import io.netty.channel.Channel;

/// One HBONE connection seen from the client: many CONNECT streams in one mutual TLS session.
///
/// All methods are called on the event loop of {@link #channel()}.
public interface Tunnel {
    /// Asks the peer for a stream.
    PendingConnect open(ConnectRequest request, StreamOpening opening);

    /// Streams that count against {@link #maxStreams()}: asked for, open, or half-closed.
    int activeStreams();

    /// What the peer's SETTINGS allow and our own limit of 100; 100 until the peer's SETTINGS are here.
    int maxStreams();

    /// Whether no new stream may be opened: GOAWAY was seen or sent, or the connection is closing or closed.
    boolean isDraining();

    /// Sends GOAWAY, lets the open streams finish, then closes the connection.
    void drain();

    /// Ends the connection and every stream on it at once.
    void close();

    /// As {@link #close}, because the peer's certificate is revoked.
    void closeRevoked();

    Channel channel();

    /// What the owner of a tunnel, for example a pool, needs to hear. Called on the tunnel's event loop.
    interface Listener {
        /// The peer's SETTINGS are here. In TLS 1.3 this is also the first proof that the peer took our certificate.
        void onReady(Tunnel tunnel);

        /// A stream ended, or the peer raised its limit: there may be room for another one.
        void onRoom(Tunnel tunnel);

        /// No new streams from now on.
        void onDraining(Tunnel tunnel);
    }
}
