package io.loam.runtime.config;

import java.time.Duration;

/// The HBONE tunnels.
///
/// @param streamWindowBytes (`HTTP2_STREAM_WINDOW_SIZE`), 65535 to 2^31-1. Default 4 MiB: one bandwidth-delay product
///     of 10 Gbit/s at 3 ms, rounded up
/// @param connectionWindowBytes (`HTTP2_CONNECTION_WINDOW_SIZE`), at least the stream window: what it may grow to.
///     Default 16 MiB, so that one stream that nobody reads cannot stop the others
/// @param frameBytes largest frame we accept (`HTTP2_FRAME_SIZE`), 16384 to 2^24-1. Default 64 KiB
/// @param streamsPerTunnel (`POOL_MAX_STREAMS_PER_CONNECTION`), at least 1. Default 100
/// @param unusedRelease how long a pooled tunnel without streams is kept (`POOL_UNUSED_RELEASE_TIMEOUT`). Default 5
///     min
/// @param responseBaggage whether answers describe the destination (`ENABLE_RESPONSE_BAGGAGE`). Default true
public record TunnelConfig(
        int streamWindowBytes,
        int connectionWindowBytes,
        int frameBytes,
        int streamsPerTunnel,
        Duration unusedRelease,
        boolean responseBaggage) {
    public TunnelConfig {
        new Checks()
                .range("HTTP2_STREAM_WINDOW_SIZE", streamWindowBytes, 65_535, Integer.MAX_VALUE)
                .range("HTTP2_CONNECTION_WINDOW_SIZE", connectionWindowBytes, streamWindowBytes, Integer.MAX_VALUE)
                .range("HTTP2_FRAME_SIZE", frameBytes, 16_384, (1 << 24) - 1)
                .range("POOL_MAX_STREAMS_PER_CONNECTION", streamsPerTunnel, 1, Integer.MAX_VALUE)
                .require(unusedRelease.isPositive(), "POOL_UNUSED_RELEASE_TIMEOUT", unusedRelease, "more than 0")
                .done();
    }
}
