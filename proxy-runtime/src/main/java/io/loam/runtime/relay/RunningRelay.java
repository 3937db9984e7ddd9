package io.loam.runtime.relay;

/// What whoever watches over a connection needs of its relay, whatever the relay joins. On the event loop.
public sealed interface RunningRelay permits Relay, SocketRelay {
    /// Breaks both sides off, for example because a policy changed or a drain ran out of time. Does nothing once the
    /// relay has ended.
    ///
    /// @param reason for the log
    void abort(String reason);

    /// Payload that came from the application and was handed on so far.
    long bytesFromApplication();

    /// Payload that came from the peer and was handed to the application so far.
    long bytesToApplication();
}
