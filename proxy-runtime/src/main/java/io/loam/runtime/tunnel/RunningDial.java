package io.loam.runtime.tunnel;

/// One attempt to make a tunnel. Ends with exactly one of {@link PeerTunnels#onDialled},
/// {@link PeerTunnels#onDialFailed} and {@link PeerTunnels#onDialTimedOut}, unless it is cancelled. Those may come from
/// inside {@link #start}.
interface RunningDial {
    void start();

    /// Nothing is told any more.
    void cancel();

    /// @return what it has got to so far, for logs
    String phase();

    /// Makes dials; {@link Dial} is the one there is outside of tests.
    interface Maker {
        /// @param owner is told how it ended
        /// @return not started yet
        RunningDial make(TunnelKey key, PoolParts parts, PeerTunnels owner);
    }
}
