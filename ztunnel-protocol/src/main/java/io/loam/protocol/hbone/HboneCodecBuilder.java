package io.loam.protocol.hbone;

import io.netty.handler.codec.http2.AbstractHttp2ConnectionHandlerBuilder;
import io.netty.handler.codec.http2.DefaultHttp2Connection;
import io.netty.handler.codec.http2.DefaultHttp2RemoteFlowController;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.UniformStreamByteDistributor;

/// Puts Netty's HTTP/2 codec together for tunnels: its parsing and flow control, without a channel per stream.
final class HboneCodecBuilder<H extends TunnelHandler>
        extends AbstractHttp2ConnectionHandlerBuilder<H, HboneCodecBuilder<H>> {
    /// A stream that is ready sends this much before the next one has its turn (fast path, rule 13).
    private static final int ROUND_ROBIN_CHUNK_BYTES = 64 << 10;

    /// Control frames that wait because the peer does not read (hazard T6).
    private static final int MAX_QUEUED_CONTROL_FRAMES = 1000;

    /// A peer that sends more DATA frames without content or END_STREAM in a row is closed (hazard T6).
    private static final int MAX_EMPTY_DATA_FRAMES = 2;

    /// Hazard T4. The size of the whole block is limited by the header list size.
    private static final int MAX_CONTINUATION_FRAMES = 8;

    private final Factory<H> factory;

    interface Factory<H extends TunnelHandler> {
        H create(Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings);
    }

    private HboneCodecBuilder(boolean server, Http2Settings settings, Factory<H> factory) {
        this.factory = factory;
        var connection = new DefaultHttp2Connection(server);
        var distributor = new UniformStreamByteDistributor(connection);
        distributor.minAllocationChunk(ROUND_ROBIN_CHUNK_BYTES);
        connection.remote().flowController(new DefaultHttp2RemoteFlowController(connection, distributor));
        connection(connection);
        initialSettings(settings);
        headerSensitivityDetector((name, _) -> HeaderFields.isOfOneConnection(name));
        encoderEnforceMaxQueuedControlFrames(MAX_QUEUED_CONTROL_FRAMES);
        decoderEnforceMaxConsecutiveEmptyDataFrames(MAX_EMPTY_DATA_FRAMES);
        decoderEnforceMaxSmallContinuationFrames(MAX_CONTINUATION_FRAMES);
        // The codec counts every reset, and an application that closes its connections by RST would end a shared
        // tunnel after 200 of them (hazard T2). TunnelHandler counts the resets that mean harm.
        decoderEnforceMaxRstFramesPerWindow(0, 0);
        encoderEnforceMaxRstFramesPerWindow(0, 0);
        decoupleCloseAndGoAway(true); // TunnelHandler drains by itself; close means close
    }

    static <H extends TunnelHandler> H server(HboneConfig config, Factory<H> factory) {
        var settings = common(config).maxConcurrentStreams(config.maxConcurrentStreams());
        return new HboneCodecBuilder<>(true, settings, factory).build();
    }

    static <H extends TunnelHandler> H client(HboneConfig config, Factory<H> factory) {
        return new HboneCodecBuilder<>(false, common(config).pushEnabled(false), factory).build();
    }

    private static Http2Settings common(HboneConfig config) {
        return new Http2Settings()
                .initialWindowSize(config.streamWindowBytes())
                .maxFrameSize(config.maxFrameBytes())
                .maxHeaderListSize(config.maxHeaderListBytes());
    }

    @Override
    protected H build(Http2ConnectionDecoder decoder, Http2ConnectionEncoder encoder, Http2Settings settings) {
        return factory.create(decoder, encoder, settings);
    }
}
