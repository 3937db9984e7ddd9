package io.loam.protocol.hbone;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import io.netty.util.AsciiString;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The server's end of a tunnel: checks each CONNECT (RFC 9113, 8.5), asks the {@link ConnectHandler} for a verdict,
/// and turns it into the answer. Stands behind the TLS handler and belongs in the pipeline when the handshake is
/// done.
public final class HboneServerHandler extends TunnelHandler {
    /// A CONNECT has a handful of fields (hazard T5).
    private static final int MAX_FIELDS = 100;

    private static final AsciiString CONNECT = AsciiString.cached("CONNECT");

    private static final long DRAIN_PING = 0x6c6f616d_64726169L;

    /// How long the peer has to notice the first GOAWAY. Streams it opens meanwhile are still served.
    private static final long DRAIN_NOTICE_MILLIS = 1000;

    /// How long a drained tunnel waits for the peer to close first. If we did, a frame of the peer that crosses our
    /// close would be answered by a TCP reset, and that can take the last bytes we sent with it.
    private static final long DRAINED_LINGER_MILLIS = 2000;

    private final ConnectHandler connects;
    private boolean abandonedByReset;
    private boolean finalGoAwaySent;
    private boolean lingering;

    private HboneServerHandler(
            Http2ConnectionDecoder decoder,
            Http2ConnectionEncoder encoder,
            Http2Settings settings,
            HboneConfig config,
            ReceiveBudget budget,
            ConnectHandler connects) {
        super(decoder, encoder, settings, config, budget);
        this.connects = connects;
    }

    public static HboneServerHandler create(ConnectHandler connects) {
        return create(HboneConfig.DEFAULT, connects);
    }

    public static HboneServerHandler create(HboneConfig config, ConnectHandler connects) {
        return create(config, ReceiveBudget.unlimited(), connects);
    }

    /// @param budget of the event loop on which the tunnel will be
    public static HboneServerHandler create(HboneConfig config, ReceiveBudget budget, ConnectHandler connects) {
        return HboneCodecBuilder.server(
                config,
                (decoder, encoder, settings) ->
                        new HboneServerHandler(decoder, encoder, settings, config, budget, connects));
    }

    @Override
    void onHeaders(Http2Stream stream, @Nullable CodecStream known, Http2Headers headers, boolean endOfStream)
            throws Http2Exception {
        if (known != null) {
            throw HeaderFields.unexpected(stream); // RFC 9113, 8.5: only DATA on a connected stream
        }
        if (headers.size() > MAX_FIELDS) {
            throw Http2Exception.streamError(
                    stream.id(),
                    Http2Error.ENHANCE_YOUR_CALM,
                    "%d header fields (at most %d)",
                    headers.size(),
                    MAX_FIELDS);
        }
        var pending = new Pending(stream);
        if (endOfStream) {
            pending.stream.onEndOfStream();
        }
        var request = isConnect(headers) ? HeaderFields.readRequest(headers) : null;
        if (request == null) {
            pending.refuse(HttpResponseStatus.BAD_REQUEST.code());
        } else {
            try {
                connects.onConnect(request, pending);
            } catch (RuntimeException | Error bug) {
                pending.onBug(bug);
            }
        }
    }

    /// RFC 9113, 8.5: `:method` is CONNECT, `:scheme` and `:path` are left out. Extended CONNECT is not offered. A
    /// CONNECT has no content whose length one could give (RFC 9110, 9.3.6), and the codec would hold the tunnelled
    /// bytes to it.
    private static boolean isConnect(Http2Headers headers) {
        return headers.method() != null
                && CONNECT.contentEquals(headers.method())
                && headers.scheme() == null
                && headers.path() == null
                && headers.get(Http2Headers.PseudoHeaderName.PROTOCOL.value()) == null
                && headers.get(HttpHeaderNames.CONTENT_LENGTH) == null;
    }

    @Override
    void onPeerReset() throws Http2Exception {
        if (abandonedByReset) {
            abandonedByReset = false;
            countHarmfulReset();
        }
    }

    @Override
    void onDraining() {}

    @Override
    void onStreamGone() {}

    @Override
    void onPeerSettings() {}

    /// RFC 9113, 6.8: first a GOAWAY that refuses nothing, and the one that does when the peer must have seen it.
    @Override
    void announceDrain(ChannelHandlerContext ctx) {
        var _ = goAway(ctx, Integer.MAX_VALUE, Http2Error.NO_ERROR.code(), Unpooled.EMPTY_BUFFER, ctx.newPromise());
        var _ = encoder().writePing(ctx, false, DRAIN_PING, ctx.newPromise());
        var _ = ctx.executor().schedule(this::sendFinalGoAway, DRAIN_NOTICE_MILLIS, TimeUnit.MILLISECONDS);
    }

    @Override
    void onPingAck(long data) {
        if (data == DRAIN_PING) {
            sendFinalGoAway();
        }
    }

    private void sendFinalGoAway() {
        var ctx = context();
        if (finalGoAwaySent || !ctx.channel().isActive()) {
            return;
        }
        finalGoAwaySent = true;
        int last = connection().remote().lastStreamCreated();
        var _ = goAway(ctx, last, Http2Error.NO_ERROR.code(), Unpooled.EMPTY_BUFFER, ctx.newPromise());
        flush(ctx);
        if (activeStreams() == 0) {
            onDrained(ctx);
        }
    }

    @Override
    void onDrained(ChannelHandlerContext ctx) {
        boolean told = finalGoAwaySent || connection().goAwayReceived();
        if (told && !lingering) {
            lingering = true;
            var _ = ctx.executor().schedule(() -> closeBehindWrites(ctx), DRAINED_LINGER_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    /// A CONNECT from its HEADERS to our verdict.
    private final class Pending implements PendingStream, CodecStream.Unanswered {
        private final CodecStream stream;
        private @Nullable Runnable whenAbandoned;
        private boolean waiting = true;
        private boolean abandoned;

        Pending(Http2Stream stream) {
            this.stream = adopt(stream, this);
        }

        @Override
        public TunnelStream accept(ConnectResponse response, TunnelStream.Listener listener) {
            if (!waiting && !abandoned) {
                throw new IllegalStateException("stream " + stream.id() + " was already answered");
            }
            if (abandoned) {
                // The verdict crossed the peer's reset. The caller gets a stream that ends at once.
                loop().execute(() -> stream.sayReset(listener, Http2Error.CANCEL.code()));
                return stream;
            }
            waiting = false;
            whenAbandoned = null;
            answer(HeaderFields.ok(response), false);
            stream.listen(listener);
            return stream;
        }

        @Override
        public void refuse(int status) {
            if (!waiting) {
                return;
            }
            waiting = false;
            whenAbandoned = null;
            answer(
                    new DefaultHttp2Headers(false)
                            .status(HttpResponseStatus.valueOf(status).codeAsText()),
                    true);
            if (stream.isRemoteEnded()) {
                stream.forget();
            } else {
                stream.reset(Http2Error.NO_ERROR.code()); // RFC 9113, 8.1: complete answer, send me no more
            }
        }

        private void answer(Http2Headers headers, boolean endOfStream) {
            var ctx = context();
            var _ = encoder().writeHeaders(ctx, stream.id(), headers, 0, endOfStream, ctx.newPromise());
            flushThisTurn();
        }

        @Override
        public void whenAbandoned(Runnable action) {
            if (abandoned) {
                action.run();
            } else if (waiting) {
                whenAbandoned = action;
            }
        }

        @Override
        public boolean isWaiting() {
            return waiting;
        }

        @Override
        public void onGone(ConnectFailure failure) {
            waiting = false;
            abandoned = true;
            abandonedByReset = failure instanceof ConnectFailure.ResetBeforeAnswer;
            var action = whenAbandoned;
            whenAbandoned = null;
            if (action != null) {
                action.run();
            }
        }

        @Override
        public void onBug(Throwable cause) {
            waiting = false;
            whenAbandoned = null;
            stream.reset(Http2Error.INTERNAL_ERROR.code());
            connects.onBug(cause);
        }
    }
}
