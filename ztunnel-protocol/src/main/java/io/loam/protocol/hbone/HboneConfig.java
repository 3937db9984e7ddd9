package io.loam.protocol.hbone;

import java.time.Duration;

/// Sizes and times of one end of a tunnel. Everything but the tests uses {@link #DEFAULT}.
///
/// @param streamWindowBytes what a peer may send on one stream before we credit it; 64 KiB to 1 GiB. Default 4
///     MiB: one bandwidth-delay product of 10 Gbit/s at 3 ms, rounded up.
/// @param connectionWindowBytes the most that the same for all streams together may grow to (ConnectionWindow); at
///     least the stream window. Default 16 MiB, four times the stream window, so that one stream that nobody reads
///     cannot stop the others (hazard T7).
/// @param maxFrameBytes largest frame we take; 16 KiB to 1 MiB. Default 64 KiB: four times fewer headers than
///     the smallest legal limit, yet not so large that a frame waits long for its last byte.
/// @param maxConcurrentStreams what our server allows a peer; 1 or more. Default 200, as ztunnel.
/// @param maxHeaderListBytes decoded size of a header block (RFC 9113, 10.5.1); 1 KiB or more. Default 16 KiB,
///     which is advertised as well. ztunnel's server advertises 64 KiB, but a CONNECT carries a few hundred bytes,
///     and hazard T5 caps what is decoded at 16 KiB: a limit that is not advertised would surprise an honest peer.
/// @param quietBeforePing silence of the peer after which it is asked for a sign of life. Default 10 s, as
///     ztunnel.
/// @param pingTimeout further silence after which it is taken for dead. Default 18 s: a little less than
///     ztunnel's 20 s, so that the streams hear of it within 30 s (hazard T11).
public record HboneConfig(
        int streamWindowBytes,
        int connectionWindowBytes,
        int maxFrameBytes,
        int maxConcurrentStreams,
        int maxHeaderListBytes,
        Duration quietBeforePing,
        Duration pingTimeout) {
    public static final HboneConfig DEFAULT =
            new HboneConfig(4 << 20, 16 << 20, 64 << 10, 200, 16 << 10, Duration.ofSeconds(10), Duration.ofSeconds(18));

    public HboneConfig {
        requireWithin("streamWindowBytes", streamWindowBytes, 64 << 10, 1 << 30);
        requireWithin("connectionWindowBytes", connectionWindowBytes, streamWindowBytes, 1 << 30);
        requireWithin("maxFrameBytes", maxFrameBytes, 16 << 10, 1 << 20);
        requireWithin("maxConcurrentStreams", maxConcurrentStreams, 1, Integer.MAX_VALUE);
        requireWithin("maxHeaderListBytes", maxHeaderListBytes, 1 << 10, 1 << 20);
        requirePositive("quietBeforePing", quietBeforePing);
        requirePositive("pingTimeout", pingTimeout);
    }

    private static void requireWithin(String name, int value, int min, int max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(name + ": " + value + " (expected: " + min + " to " + max + ")");
        }
    }

    private static void requirePositive(String name, Duration value) {
        if (!value.isPositive()) {
            throw new IllegalArgumentException(name + ": " + value + " (expected: more than zero)");
        }
    }
}
