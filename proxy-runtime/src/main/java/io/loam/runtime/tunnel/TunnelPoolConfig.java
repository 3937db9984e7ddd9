package io.loam.runtime.tunnel;

import java.time.Duration;

/// How the outbound tunnels of a workload are shared and kept.
///
/// @param maxStreamsPerTunnel streams on one tunnel before another is dialled; 1 or more, and never more than
///     the peer allows. Default 100, as ztunnel and as waypoints allow.
/// @param maxWaiting connections that may wait for a tunnel to one peer, per event loop; 1 or more. Default
///     2,048: some twenty tunnels' worth, beyond which waiting is only a slower way to fail.
/// @param connectTimeout for TCP, TLS and the peer's SETTINGS together, and how long a connection waits for a tunnel
///     while none is made; more than zero. Default 10 s, as ztunnel.
/// @param idleTimeout how long a tunnel without streams is kept after its last checkout; more than zero. Default
///     5 min, as ztunnel.
public record TunnelPoolConfig(int maxStreamsPerTunnel, int maxWaiting, Duration connectTimeout, Duration idleTimeout) {
    public static final TunnelPoolConfig DEFAULT =
            new TunnelPoolConfig(100, 2048, Duration.ofSeconds(10), Duration.ofMinutes(5));

    public TunnelPoolConfig {
        requireAtLeastOne("maxStreamsPerTunnel", maxStreamsPerTunnel);
        requireAtLeastOne("maxWaiting", maxWaiting);
        requirePositive("connectTimeout", connectTimeout);
        requirePositive("idleTimeout", idleTimeout);
    }

    private static void requireAtLeastOne(String name, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(name + ": " + value + " (expected: 1 or more)");
        }
    }

    private static void requirePositive(String name, Duration value) {
        if (!value.isPositive()) {
            throw new IllegalArgumentException(name + ": " + value + " (expected: more than zero)");
        }
    }
}
