package io.loam.protocol.hbone;

/// The answer to a CONNECT. Exactly one of the first two methods is called, once, on the tunnel's event loop, and
/// neither after {@link PendingConnect#cancel()}. Never from inside the call that asked.
public interface StreamOpening {
    /// The peer answered 200.
    ///
    /// @return who hears of the stream from now on
    TunnelStream.Listener onOpened(TunnelStream stream, ConnectResponse response);

    void onFailed(ConnectFailure failure);

    /// One of the methods above threw. The stream, if there was one, has been reset with INTERNAL_ERROR; the tunnel
    /// goes on.
    void onBug(Throwable cause);
}
