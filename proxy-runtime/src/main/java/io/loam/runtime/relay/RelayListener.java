package io.loam.runtime.relay;

/// Hears of the end of a relay.
@FunctionalInterface
public interface RelayListener {
    /// Called once, on the event loop, when both sides are closed or closing and the byte counts are final.
    /// Should it throw, it is called again, with {@link RelayEnd.Bug}.
    ///
    /// @param bytesFromApplication payload that came from the application's socket and was handed on
    /// @param bytesToApplication payload that came from the peer and was written to the application's socket
    void onRelayEnd(RelayEnd end, long bytesFromApplication, long bytesToApplication);
}
