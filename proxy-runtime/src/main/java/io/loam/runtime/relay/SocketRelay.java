package io.loam.runtime.relay;

import io.netty.channel.socket.DuplexChannel;

/// Joins two sockets on the same event loop, for plaintext.
@SuppressWarnings("DoNotCallSuggester")
public final class SocketRelay {
    private SocketRelay() {}

    /// Begins to move bytes. Called on the event loop.
    ///
    /// @param application half-closure allowed, auto-read off; owned and closed by the relay from now on, as is
    ///     `peer`
    public static SocketRelay start(DuplexChannel application, DuplexChannel peer, RelayListener listener) {
        throw new UnsupportedOperationException("not yet: " + application + peer + listener);
    }

    /// Breaks both sides off.
    public void abort(String reason) {
        throw new UnsupportedOperationException("not yet: " + reason);
    }

    /// Payload handed on so far.
    public long bytesFromApplication() {
        throw new UnsupportedOperationException("not yet");
    }

    /// Payload handed on so far.
    public long bytesToApplication() {
        throw new UnsupportedOperationException("not yet");
    }
}
