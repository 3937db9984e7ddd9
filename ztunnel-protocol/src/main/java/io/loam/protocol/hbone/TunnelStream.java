package io.loam.protocol.hbone;

import io.netty.buffer.ByteBuf;

/// One CONNECT stream inside a tunnel, that is one connection of an application. The relay talks to this and to
/// nothing of HTTP/2, so that the framing below can be replaced.
///
/// All methods are called on the tunnel's event loop.
public interface TunnelStream {
    /// Size of a frame's header (RFC 9113, 4.1), and the room that spares a copy, see {@link #write}.
    int FRAME_HEADER_BYTES = 9;

    /// What {@link Listener#onReset} hears when we ended the tunnel because the peer's certificate is
    /// revoked. No peer can send it: error codes on the wire have 32 bits.
    long PEER_REVOKED = 1L << 32;

    /// Queues bytes for the peer. Nothing leaves before {@link #flush()}. Bytes written after the end of
    /// the stream are dropped.
    ///
    /// @param data taken over, and with it what lies in front of its reader index: where that is at least {@link
    ///     #FRAME_HEADER_BYTES}, the frame's header is written there
    void write(ByteBuf data);

    /// Sends what was written. The tunnel flushes its socket once per turn of the loop, whoever asked.
    void flush();

    /// Whether the peer's window and the tunnel's buffer have room. When false, stop reading the application until
    /// {@link Listener#onWritable}. Look after each {@link #write}.
    boolean isWritable();

    /// Tells the peer that the application took `bytes` of what {@link Listener#onData} delivered, so that it may
    /// send as much again. Every delivered byte is credited exactly once; after the end of the stream that is
    /// allowed and does nothing.
    void credit(int bytes);

    /// Ends this direction (FIN) after all that was written; the other one stays open.
    void endStream();

    /// Gives the stream up in both directions: RST_STREAM with an HTTP/2 error code (RFC 9113, 7). What was written
    /// and fits the peer's window goes out before it, the rest is dropped. Does nothing if the stream has already
    /// ended. The listener hears nothing more.
    void reset(long errorCode);

    /// What comes from the peer. Called on the tunnel's event loop, never from inside one of the stream's own
    /// methods.
    interface Listener {
        /// Bytes of the peer, as they arrive. The callee owns `data`.
        void onData(ByteBuf data);

        /// No more {@link #onData} in this wake-up: the time to flush.
        void onReadComplete();

        /// The peer ended its direction. Bytes delivered before stay valid.
        void onEndStream();

        /// Both directions ended in order, and the last byte went into the tunnel's socket. Nothing is called after
        /// it.
        void onFinished();

        /// The stream is gone before both directions ended: RST_STREAM from the peer, or the tunnel under it ended.
        /// Nothing is called after it. A peer that resets with NO_ERROR or CANCEL after its END_STREAM
        /// took nothing back: all it sent has been delivered, and it merely reads no more.
        void onReset(long errorCode);

        /// {@link #isWritable()} has become true again.
        void onWritable();

        /// One of the methods above threw. The stream has been reset with INTERNAL_ERROR if it was still open;
        /// the tunnel and its other streams go on (hazards, rule 7). The place to count and log the bug.
        /// Called after {@link #onFinished} or {@link #onReset} only if that is what threw. Nothing follows.
        void onBug(Throwable cause);
    }
}
