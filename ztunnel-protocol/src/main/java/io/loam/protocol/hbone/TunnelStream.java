package io.loam.protocol.hbone;

import io.netty.buffer.ByteBuf;

/// One CONNECT stream inside a tunnel, that is one connection of an application. The relay talks to this and to nothing
/// of HTTP/2, so that the framing below can be replaced.
///
/// All methods are called on the tunnel's event loop.
public interface TunnelStream {
    /// Queues bytes for the peer. Takes ownership of `data`. Nothing leaves before {@link #flush()}.
    void write(ByteBuf data);

    /// Sends what was written. The tunnel flushes its socket once per turn of the loop, whoever asked.
    void flush();

    /// Whether the peer's window and the tunnel's buffer have room. When false, stop reading the application until
    /// {@link Listener#onWritabilityChanged}.
    boolean isWritable();

    /// Tells the peer that the application took `bytes` of what {@link Listener#onData} delivered, so that it may send
    /// as much again. Every delivered byte is credited exactly once.
    void credit(int bytes);

    /// Ends this direction (FIN) after all that was written; the other one stays open.
    void endStream();

    /// Gives the stream up in both directions: RST_STREAM with an HTTP/2 error code (RFC 9113, 7). Queued bytes may be
    /// lost. Does nothing if the stream has already ended in both directions.
    void reset(long errorCode);

    /// What comes from the peer. Called on the tunnel's event loop, never from inside a call of the stream's own
    /// methods other than by a later turn of the loop.
    interface Listener {
        /// Bytes of the peer, as they arrive. The callee owns `data`.
        void onData(ByteBuf data);

        /// No more {@link #onData} in this wake-up: the time to flush.
        void onReadComplete();

        /// The peer ended its direction. Bytes delivered before stay valid.
        void onEndStream();

        /// The stream is gone: RST_STREAM from the peer, or the tunnel under it ended. Called at most once, never
        /// after both directions ended in order.
        void onReset(long errorCode);

        void onWritabilityChanged(boolean writable);
    }
}
