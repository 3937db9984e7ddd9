package io.loam.protocol.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http2.DefaultHttp2FrameReader;
import io.netty.handler.codec.http2.DefaultHttp2FrameWriter;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2CodecUtil;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameAdapter;
import io.netty.handler.codec.http2.Http2FrameWriter;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.Assertions;

/// A peer that writes any frame it is told to, right or wrong, and notes what it is answered. Keeps no stream
/// states.
final class RawPeer implements AutoCloseable {
    final EmbeddedChannel tunnel;
    final List<String> seen = new ArrayList<>();

    /// Of all that the tunnel has written.
    int receivedBytes;

    private final EmbeddedChannel wire = new EmbeddedChannel(new ChannelInboundHandlerAdapter());
    private final Http2FrameWriter writer = new DefaultHttp2FrameWriter();
    private final DefaultHttp2FrameReader reader = new DefaultHttp2FrameReader(false);
    private final ByteBuf received = Unpooled.buffer();
    private boolean prefaceSeen;

    private RawPeer(ChannelHandler handler, boolean peerIsClient) {
        this.tunnel = new EmbeddedChannel(handler);
        this.prefaceSeen = peerIsClient;
        try {
            reader.maxFrameSize(64 << 10);
        } catch (Http2Exception e) {
            throw new IllegalStateException("64 KiB is a legal frame size", e);
        }
    }

    private RawPeer begin() {
        send((frames, ctx) -> frames.writeSettings(ctx, new Http2Settings(), ctx.newPromise()));
        send((frames, ctx) -> frames.writeSettingsAck(ctx, ctx.newPromise())); // our windows apply from here on
        return this;
    }

    static RawPeer clientOf(HboneServerHandler server) {
        var peer = silentClientOf(server);
        peer.bytes(Http2CodecUtil.connectionPrefaceBuf().copy());
        return peer.begin();
    }

    /// A client that has said nothing yet, not even its preface.
    static RawPeer silentClientOf(HboneServerHandler server) {
        return new RawPeer(server, true);
    }

    static RawPeer serverOf(HboneClientHandler client) {
        return new RawPeer(client, false).begin();
    }

    /// Sends what the frame writer would not, as one read of the tunnel. Takes ownership.
    void bytes(ByteBuf bytes) {
        if (tunnel.isOpen()) {
            tunnel.writeInbound(bytes);
        } else {
            bytes.release();
        }
        listen();
    }

    interface Frames {
        ChannelFuture write(Http2FrameWriter frames, ChannelHandlerContext ctx);
    }

    void send(Frames frames) {
        var _ = frames.write(writer, wire.pipeline().firstContext());
        wire.flushOutbound();
        deliver();
    }

    private void deliver() {
        for (ByteBuf bytes = wire.readOutbound(); bytes != null; bytes = wire.readOutbound()) {
            bytes(bytes);
        }
    }

    void headers(int stream, Http2Headers headers, boolean endOfStream) {
        send((frames, ctx) -> frames.writeHeaders(ctx, stream, headers, 0, endOfStream, ctx.newPromise()));
    }

    void connect(int stream) {
        headers(stream, new DefaultHttp2Headers().method("CONNECT").authority("10.0.0.7:8080"), false);
    }

    void data(int stream, String text, boolean endOfStream) {
        var bytes = Unpooled.copiedBuffer(text, StandardCharsets.US_ASCII);
        send((frames, ctx) -> frames.writeData(ctx, stream, bytes, 0, endOfStream, ctx.newPromise()));
    }

    void reset(int stream, long code) {
        send((frames, ctx) -> frames.writeRstStream(ctx, stream, code, ctx.newPromise()));
    }

    /// Notes what the tunnel has written.
    void listen() {
        tunnel.runPendingTasks();
        for (ByteBuf bytes = tunnel.readOutbound(); bytes != null; bytes = tunnel.readOutbound()) {
            receivedBytes += bytes.readableBytes();
            received.writeBytes(bytes);
            bytes.release();
        }
        if (!prefaceSeen && received.readableBytes() >= 24) {
            received.skipBytes(24);
            prefaceSeen = true;
        }
        try {
            while (prefaceSeen
                    && received.readableBytes() >= 9
                    && received.readableBytes() >= 9 + received.getMedium(received.readerIndex())) {
                reader.readFrame(wire.pipeline().firstContext(), received, new Notes());
            }
        } catch (Http2Exception e) {
            Assertions.fail("the tunnel wrote what is no HTTP/2", e);
        }
    }

    @Override
    public void close() {
        tunnel.finishAndReleaseAll();
        wire.finishAndReleaseAll();
        writer.close();
        reader.close();
        received.release();
    }

    private final class Notes extends Http2FrameAdapter {
        @Override
        public int onDataRead(ChannelHandlerContext ctx, int stream, ByteBuf data, int padding, boolean end) {
            seen.add("DATA " + stream + " " + data.toString(StandardCharsets.US_ASCII) + (end ? " END" : ""));
            return data.readableBytes() + padding;
        }

        @Override
        public void onHeadersRead(
                ChannelHandlerContext ctx, int stream, Http2Headers headers, int padding, boolean end) {
            var what = headers.status() == null ? headers.method() + " " + headers.authority() : headers.status();
            seen.add("HEADERS " + stream + " " + what + (end ? " END" : ""));
        }

        @Override
        public void onRstStreamRead(ChannelHandlerContext ctx, int stream, long code) {
            seen.add("RST " + stream + " " + ConnectFailure.errorName(code));
        }

        @Override
        public void onGoAwayRead(ChannelHandlerContext ctx, int last, long code, ByteBuf debug) {
            seen.add("GOAWAY " + ConnectFailure.errorName(code));
        }

        @Override
        public void onPingRead(ChannelHandlerContext ctx, long data) {
            seen.add("PING");
        }

        @Override
        public void onPingAckRead(ChannelHandlerContext ctx, long data) {
            seen.add("PONG " + Long.toHexString(data));
        }

        @Override
        public void onSettingsAckRead(ChannelHandlerContext ctx) {
            seen.add("SETTINGS ACK");
        }

        @Override
        public void onWindowUpdateRead(ChannelHandlerContext ctx, int stream, int bytes) {
            seen.add("WINDOW " + stream + " " + bytes);
        }

        @Override
        public void onSettingsRead(ChannelHandlerContext ctx, Http2Settings settings) {
            seen.add("SETTINGS streams=" + settings.maxConcurrentStreams() + " window=" + settings.initialWindowSize()
                    + " frame=" + settings.maxFrameSize() + " list=" + settings.maxHeaderListSize());
        }
    }
}
