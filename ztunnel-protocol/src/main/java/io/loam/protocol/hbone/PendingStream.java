package io.loam.protocol.hbone;

/// A CONNECT that waits for our verdict. All methods are called on the tunnel's event loop.
public interface PendingStream {
    /// Answers 200 and opens the stream. Bytes that arrived early are delivered to `listener` before this method
    /// returns to the loop's next turn, never from inside it.
    ///
    /// @throws IllegalStateException when the verdict was already given
    TunnelStream accept(ConnectResponse response, TunnelStream.Listener listener);

    /// Answers with `status` and END_STREAM, and drops what arrived early. Does nothing if the peer has given up.
    ///
    /// @param status 400, 401 or 503 (wire reference, 2.3)
    void refuse(int status);

    /// Registers what to do when the peer gives up before the verdict: cancel the dial at once (hazard T3). Called
    /// at most once, and never after {@link #accept} or {@link #refuse}. Runs immediately if it has already
    /// happened.
    void whenAbandoned(Runnable action);

    /// Whether the peer still waits for the verdict.
    boolean isWaiting();
}
