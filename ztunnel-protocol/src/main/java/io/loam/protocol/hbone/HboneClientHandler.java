package io.loam.protocol.hbone;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpStatusClass;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import org.jspecify.annotations.Nullable;

/// The client's end of a tunnel. Stands behind the TLS handler; the listener hears when the tunnel can be used.
public final class HboneClientHandler extends TunnelHandler implements Tunnel {
    /// What we put on one tunnel, whatever the peer allows, and what we assume before its SETTINGS (wire reference,
    /// 2.4).
    private static final int MAX_STREAMS = 100;

    private final Tunnel.Listener listener;
    private boolean ready;

    private HboneClientHandler(
            Http2ConnectionDecoder decoder,
            Http2ConnectionEncoder encoder,
            Http2Settings settings,
            HboneConfig config,
            ReceiveBudget budget,
            Tunnel.Listener listener) {
        super(decoder, encoder, settings, config, budget);
        this.listener = listener;
    }

    public static HboneClientHandler create(Tunnel.Listener listener) {
        return create(HboneConfig.DEFAULT, listener);
    }

    public static HboneClientHandler create(HboneConfig config, Tunnel.Listener listener) {
        return create(config, ReceiveBudget.unlimited(), listener);
    }

    /// @param budget of the event loop on which the tunnel will be
    public static HboneClientHandler create(HboneConfig config, ReceiveBudget budget, Tunnel.Listener listener) {
        return HboneCodecBuilder.client(
                config,
                (decoder, encoder, settings) ->
                        new HboneClientHandler(decoder, encoder, settings, config, budget, listener));
    }

    @Override
    public int maxStreams() {
        return ready ? Math.min(MAX_STREAMS, connection().local().maxActiveStreams()) : MAX_STREAMS;
    }

    @Override
    public PendingConnect open(ConnectRequest request, StreamOpening opening) {
        var asked = new Opening(opening);
        if (isDraining()) {
            asked.failLater(new ConnectFailure.TunnelDraining());
        } else if (activeStreams() >= maxStreams()) {
            asked.failLater(new ConnectFailure.TunnelFull(maxStreams()));
        } else {
            int id = connection().local().incrementAndGetNextStreamId();
            if (id < 0) { // 2^30 streams later; at 10,000 a second that is a day and a half
                asked.failLater(new ConnectFailure.TunnelDraining());
                drain();
            } else {
                send(id, request, asked);
            }
        }
        return asked;
    }

    private void send(int id, ConnectRequest request, Opening asked) {
        var ctx = context();
        var sent = encoder().writeHeaders(ctx, id, HeaderFields.request(request), 0, false, ctx.newPromise());
        var stream = connection().stream(id);
        if (stream == null) { // the codec or the peer's limits do not allow the stream
            asked.failLater(new ConnectFailure.TunnelLost(sent.cause()));
            return;
        }
        asked.stream = adopt(stream, asked);
        flushThisTurn();
    }

    @Override
    void onHeaders(Http2Stream stream, @Nullable CodecStream known, Http2Headers headers, boolean endOfStream)
            throws Http2Exception {
        if (known == null || known.isOver()) {
            return;
        }
        if (!(known.waiting() instanceof Opening asked)) {
            throw HeaderFields.unexpected(stream);
        }
        int status = status(stream, headers);
        if (HttpStatusClass.valueOf(status) == HttpStatusClass.INFORMATIONAL && !endOfStream) {
            return;
        }
        if (status == HttpResponseStatus.OK.code()) {
            asked.succeed(known, HeaderFields.readResponse(headers));
            if (endOfStream) {
                known.onEndOfStream();
            }
        } else {
            known.reset(Http2Error.CANCEL.code()); // no body is of interest
            asked.fail(new ConnectFailure.RefusedStatus(status));
        }
    }

    private static int status(Http2Stream stream, Http2Headers headers) throws Http2Exception {
        var text = headers.status();
        if (text == null || text.length() != 3) {
            throw malformed(stream, text);
        }
        int status = 0;
        for (int i = 0; i < 3; i++) {
            int digit = text.charAt(i) - '0';
            if (digit < 0 || digit > 9) {
                throw malformed(stream, text);
            }
            status = status * 10 + digit;
        }
        return status;
    }

    private static Http2Exception malformed(Http2Stream stream, @Nullable CharSequence status) {
        return Http2Exception.streamError(
                stream.id(), Http2Error.PROTOCOL_ERROR, ":status: %s (expected: three digits)", status);
    }

    @Override
    void onPeerSettings() {
        if (ready) {
            listener.onRoom(this);
        } else {
            ready = true;
            listener.onReady(this);
        }
    }

    @Override
    void onDraining() {
        listener.onDraining(this);
    }

    @Override
    void onStreamGone() {
        if (!isDraining()) {
            listener.onRoom(this);
        }
    }

    /// We take no streams from the server, so there is nothing to refuse and no second GOAWAY to send.
    @Override
    void announceDrain(ChannelHandlerContext ctx) {
        var _ = goAway(ctx, 0, Http2Error.NO_ERROR.code(), Unpooled.EMPTY_BUFFER, ctx.newPromise());
    }

    @Override
    void onDrained(ChannelHandlerContext ctx) {
        closeBehindWrites(ctx);
    }

    /// A CONNECT from its HEADERS to the answer.
    private final class Opening implements PendingConnect, CodecStream.Unanswered {
        private final StreamOpening opening;
        private @Nullable CodecStream stream;
        private boolean cancelled;

        Opening(StreamOpening opening) {
            this.opening = opening;
        }

        void failLater(ConnectFailure failure) {
            loop().execute(() -> {
                if (!cancelled) {
                    fail(failure);
                }
            });
        }

        void succeed(CodecStream answered, ConnectResponse response) {
            try {
                answered.listen(opening.onOpened(answered, response));
            } catch (RuntimeException | Error bug) {
                answered.reset(Http2Error.INTERNAL_ERROR.code());
                opening.onBug(bug);
            }
        }

        void fail(ConnectFailure failure) {
            try {
                opening.onFailed(failure);
            } catch (RuntimeException | Error bug) {
                opening.onBug(bug);
            }
        }

        @Override
        public void cancel() {
            cancelled = true;
            if (stream != null && stream.waiting() == this) {
                stream.reset(Http2Error.CANCEL.code());
            }
        }

        @Override
        public void onGone(ConnectFailure failure) {
            if (!cancelled) {
                opening.onFailed(failure);
            }
        }

        @Override
        public void onBug(Throwable cause) {
            opening.onBug(cause);
        }
    }
}
