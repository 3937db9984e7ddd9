package io.loam.runtime.relay;

import io.loam.protocol.hbone.TunnelStream;
import io.netty.channel.socket.DuplexChannel;

/// Joins an application's socket with a stream of a tunnel on the same event loop.
@SuppressWarnings("DoNotCallSuggester")
public final class Relay {
    private Relay() {}

    /// Made before the stream is there, because whoever opens the stream must name its listener.
    ///
    /// @param application half-closure allowed, auto-read off; owned and closed by the relay from {@link #start} on
    public static Relay of(DuplexChannel application, RelayListener listener) {
        throw new UnsupportedOperationException("not yet: " + application + listener);
    }

    /// What the stream has to report to: return it from `onOpened`, or hand it to `PendingStream.accept`.
    public TunnelStream.Listener streamListener() {
        throw new UnsupportedOperationException("not yet");
    }

    /// Begins to move bytes. Called on the event loop, in the same turn in which the stream opened.
    public void start(TunnelStream stream) {
        throw new UnsupportedOperationException("not yet: " + stream);
    }

    /// Breaks both sides off.
    ///
    /// @param reason for the log
    public void abort(String reason) {
        throw new UnsupportedOperationException("not yet: " + reason);
    }

    /// Payload handed on so far, for metrics that are published while the connection lives.
    public long bytesFromApplication() {
        throw new UnsupportedOperationException("not yet");
    }

    /// Payload handed on so far, for metrics that are published while the connection lives.
    public long bytesToApplication() {
        throw new UnsupportedOperationException("not yet");
    }
}
