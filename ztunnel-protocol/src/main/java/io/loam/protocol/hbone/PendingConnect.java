package io.loam.protocol.hbone;

/// A CONNECT that has not been answered.
public interface PendingConnect {
    /// The application gave up. The peer is told with RST_STREAM CANCEL; nothing is called back. Does nothing once
    /// the answer is there.
    void cancel();
}
