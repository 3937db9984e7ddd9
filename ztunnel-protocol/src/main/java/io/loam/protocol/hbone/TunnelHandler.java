package io.loam.protocol.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2ConnectionDecoder;
import io.netty.handler.codec.http2.Http2ConnectionEncoder;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameAdapter;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import io.netty.util.concurrent.Future;
import java.net.SocketTimeoutException;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/// What both ends of a tunnel have in common. One per connection, on its event loop.
///
/// Design. Netty's connection handler parses frames, keeps the stream states and the flow-control windows. Streams
/// have no channel of their own: a {@link CodecStream} hangs on each as a property, and frames go to it by a plain
/// call. Four rules hold the speed (fast path, section 3):
///
/// - Bytes we write are queued in the codec and leave once per turn of the loop, however many streams wrote ({@link
/// #flushThisTurn()}). A turn reads every ready socket first and runs tasks after, so one task at its end sees all
/// of them.
/// - A read of an application becomes a frame where it lies ({@link DataQueue}), and the payload of a frame is
/// delivered
/// as it arrives ({@link FrameFeed}): between the two sockets only TLS copies.
/// - Bytes we receive are not credited until the application took them. The codec sends WINDOW_UPDATE when half a
///   window is due, never per read. How large the window of the whole connection is says {@link ConnectionWindow}.
/// - A stream is told of the end of a wake-up only if it got bytes in it. Those streams form a list through a field
///   of their own, so that nothing is allocated.
///
/// Resets. What the codec would limit, it counts without asking who is to blame, so that is switched off ({@link
/// HboneCodecBuilder}), and here two kinds are counted together: resets by the peer before we answered (rapid reset,
/// hazard T1) and resets we send because the peer broke the protocol (hazard T3).
abstract sealed class TunnelHandler extends Http2ConnectionHandler permits HboneClientHandler, HboneServerHandler {
    /// Hazards T1 and T3: the 200th ends the tunnel, so that a peer causes at most 200 dials this way.
    private static final int MAX_HARMFUL_RESETS = 199;

    private static final int HARMFUL_RESETS_WINDOW_SECONDS = 30;

    /// Hazard T6, for SETTINGS, PING and PRIORITY each.
    private static final int MAX_CONTROL_FRAMES = 100;

    private static final int CONTROL_FRAMES_WINDOW_SECONDS = 10;

    /// WINDOW_UPDATEs that a peer may send whatever we sent (hazard T6): it may raise its windows in steps.
    private static final int FREE_WINDOW_UPDATES = 1000;

    /// Two more per write and one per 64 bytes written. A peer credits what it received, and even one that does so for
    /// every TLS record, on the stream and on the connection, stays far below.
    private static final int WINDOW_UPDATE_PER_BYTES_SHIFT = 6;

    /// A peer that is being closed for its errors and does not read either gets no more than this.
    private static final long CLOSE_AFTER_ERROR_MILLIS = 1000;

    static final long KEEPALIVE_PING = 0x6c6f616d_616c6976L;

    private final Http2Connection.PropertyKey streamKey;
    private final HboneConfig config;
    private final FrameFeed feed;
    private final ConnectionWindow window;
    private final DataQueue carrier = new DataQueue(this, null);
    private final Runnable flushTask = this::flushNow;
    private final RecentResets recentResets = new RecentResets();
    private @Nullable ChannelHandlerContext context;
    private @Nullable EventBudget harmfulResets;
    private @Nullable EventBudget settingsFrames;
    private @Nullable EventBudget pingFrames;
    private @Nullable EventBudget priorityFrames;
    private @Nullable CodecStream touchedStreams;
    private @Nullable Future<?> keepalive;
    private @Nullable Throwable failure;
    private long lastHeardNanos;
    private long askedNanos;
    private long queuedBytes;
    private long windowUpdatesLeft = FREE_WINDOW_UPDATES;
    private boolean pingOutstanding;
    private boolean opened;
    private boolean flushScheduled;
    private boolean draining;

    TunnelHandler(
            Http2ConnectionDecoder decoder,
            Http2ConnectionEncoder encoder,
            Http2Settings settings,
            HboneConfig config,
            ReceiveBudget budget) {
        super(decoder, encoder, settings, true, true);
        this.config = config;
        this.window = new ConnectionWindow(connection(), config.connectionWindowBytes(), budget, () -> now(context()));
        this.streamKey = connection().newKey();
        this.feed = new FrameFeed(connection().isServer(), config.maxFrameBytes(), new Codec());
        decoder.frameListener(new Frames());
        connection().addListener(new StreamStates());
        connection().remote().flowController().listener(this::onWritabilityChanged);
    }

    /// HEADERS that open a stream on the server, or answer one on the client.
    ///
    /// @param known the stream's object; null when the peer just opened it
    abstract void onHeaders(Http2Stream stream, @Nullable CodecStream known, Http2Headers headers, boolean endOfStream)
            throws Http2Exception;

    /// The peer sent GOAWAY, or we did.
    abstract void onDraining();

    /// A stream ended.
    abstract void onStreamGone();

    /// The peer's SETTINGS are in force.
    abstract void onPeerSettings();

    /// Tells the peer to send no new streams.
    abstract void announceDrain(ChannelHandlerContext ctx);

    /// The last stream of a draining tunnel ended.
    abstract void onDrained(ChannelHandlerContext ctx);

    // --- state ---

    final ChannelHandlerContext context() {
        return Objects.requireNonNull(context, "tunnel handler is not in a pipeline");
    }

    final EventLoop loop() {
        return context().channel().eventLoop();
    }

    /// The connection that carries the tunnel.
    public final Channel channel() {
        return context().channel();
    }

    /// Whether no new stream may be opened: GOAWAY was seen or sent, or the connection is closing or closed.
    public final boolean isDraining() {
        return draining || context == null || !context.channel().isActive();
    }

    /// Streams that are open or half-closed.
    public final int activeStreams() {
        return connection().numActiveStreams();
    }

    /// Sends GOAWAY, lets the open streams finish, then closes the connection.
    public final void drain() {
        if (isDraining()) {
            return;
        }
        draining = true;
        announceDrain(context());
        flush(context());
        onDraining();
        closeIfDrained();
    }

    /// Ends the connection and every stream on it at once.
    public final void close() {
        close(Http2Error.CONNECT_ERROR.code());
    }

    /// As {@link #close}, because the peer's certificate is revoked: the streams hear {@link
    /// TunnelStream#PEER_REVOKED}, the peer a GOAWAY without an error (wire reference, 2.1).
    public final void closeRevoked() {
        failure = new SSLException("the peer's certificate is revoked");
        close(TunnelStream.PEER_REVOKED);
    }

    private void close(long errorCode) {
        var ctx = context();
        draining = true;
        if (ctx.channel().isActive()) {
            var _ = goAway(
                    ctx,
                    connection().remote().lastStreamCreated(),
                    Http2Error.NO_ERROR.code(),
                    Unpooled.EMPTY_BUFFER,
                    ctx.newPromise());
            flush(ctx);
        }
        breakAllStreams(errorCode);
        var _ = ctx.close();
    }

    final void markDraining() {
        if (!draining) {
            draining = true;
            onDraining();
        }
    }

    final CodecStream adopt(Http2Stream stream, CodecStream.Unanswered unanswered) {
        var adopted = new CodecStream(this, stream, unanswered);
        stream.setProperty(streamKey, adopted);
        return adopted;
    }

    final @Nullable CodecStream find(int streamId) {
        var stream = connection().stream(streamId);
        return stream == null ? null : of(stream);
    }

    private @Nullable CodecStream of(Http2Stream stream) {
        return stream.getProperty(streamKey);
    }

    // --- what streams ask for ---

    /// @param data taken over
    final void write(DataQueue queue, Http2Stream stream, ByteBuf data) {
        if (!maySend(stream)) {
            data.release();
            return;
        }
        windowUpdatesLeft += 2 + (data.readableBytes() >>> WINDOW_UPDATE_PER_BYTES_SHIFT);
        if (queue.isQueued()) { // the flow controller counts what is merged, not what it does not see
            carrier.add(data);
            encoder().flowController().addFlowControlled(stream, carrier);
        } else {
            queue.add(data);
            enqueue(queue, stream);
        }
    }

    final void end(DataQueue queue, Http2Stream stream) {
        if (maySend(stream)) {
            windowUpdatesLeft += 2;
            queue.end();
            if (!queue.isQueued()) {
                enqueue(queue, stream);
            }
        }
    }

    private void enqueue(DataQueue queue, Http2Stream stream) {
        queue.markQueued();
        encoder().flowController().addFlowControlled(stream, queue);
    }

    private static boolean maySend(Http2Stream stream) {
        return switch (stream.state()) {
            case OPEN, HALF_CLOSED_REMOTE -> true;
            default -> false;
        };
    }

    /// Largest payload of a frame that the peer takes.
    final int peerMaxFrameBytes() {
        return encoder().configuration().frameSizePolicy().maxFrameSize();
    }

    /// What the peer's windows allow on the stream.
    final int sendWindow(Http2Stream stream) {
        var flow = encoder().flowController();
        return Math.min(flow.windowSize(stream), flow.windowSize(connection().connectionStream()));
    }

    /// @param more bytes that streams have queued, or, where it is negative, queue no longer
    final void countQueued(int more) {
        queuedBytes += more;
    }

    /// The most of the connection's window that streams have been promised in this round: nothing if there is enough
    /// for all that they queued, else what the flow controller gives out at a time, which is what the socket takes.
    final int promisedBytes() {
        return queuedBytes <= encoder().flowController().windowSize(connection().connectionStream())
                ? 0
                : context().channel().config().getWriteBufferHighWaterMark() + 1;
    }

    final boolean isWritable(Http2Stream stream) {
        return connection().remote().flowController().isWritable(stream);
    }

    final void credit(Http2Stream stream, int bytes) {
        if (bytes == 0) {
            return;
        }
        try {
            if (connection().local().flowController().consumeBytes(stream, bytes)) {
                window.onAnnounced();
                flushThisTurn();
            }
        } catch (Http2Exception e) {
            onError(context(), true, e); // more credit than was delivered: a bug that ends this tunnel only
        }
    }

    /// What fits the windows goes out before the RST_STREAM.
    final void resetAfterPending(Http2Stream stream, long errorCode) {
        var ctx = context();
        try {
            encoder().flowController().writePendingBytes();
        } catch (Http2Exception e) {
            onError(ctx, true, e);
        }
        recentResets.add(stream.id());
        var _ = resetStream(ctx, stream.id(), errorCode, ctx.newPromise());
        flushThisTurn();
    }

    /// Sends what is queued when this turn of the loop has read all its sockets.
    final void flushThisTurn() {
        if (!flushScheduled) {
            flushScheduled = true;
            loop().execute(flushTask);
        }
    }

    private void flushNow() {
        flushScheduled = false;
        var ctx = context();
        if (ctx.channel().isActive()) {
            flush(ctx);
        }
    }

    final void touch(CodecStream stream) {
        if (!stream.touched) {
            stream.touched = true;
            if (stream.nextTouched == null) {
                stream.nextTouched = touchedStreams == null ? stream : touchedStreams;
                touchedStreams = stream;
            }
        }
    }

    // --- what comes from the peer ---

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws Exception {
        feed.decode(ctx, in, out);
    }

    private void decodeFrame(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws Exception {
        super.decode(ctx, in, out);
    }

    private final class Codec implements FrameFeed.Codec {
        @Override
        public void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws Exception {
            decodeFrame(ctx, in, out);
        }

        @Override
        public boolean takesData(int streamId) {
            var stream = connection().stream(streamId);
            return stream != null && stream.state().remoteSideOpen();
        }

        @Override
        public boolean isFailed() {
            return failure != null;
        }
    }

    // --- the life of the connection ---

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) throws Exception {
        context = ctx;
        long now = now(ctx);
        lastHeardNanos = now;
        harmfulResets = new EventBudget(MAX_HARMFUL_RESETS, HARMFUL_RESETS_WINDOW_SECONDS, now);
        settingsFrames = new EventBudget(MAX_CONTROL_FRAMES, CONTROL_FRAMES_WINDOW_SECONDS, now);
        pingFrames = new EventBudget(MAX_CONTROL_FRAMES, CONTROL_FRAMES_WINDOW_SECONDS, now);
        priorityFrames = new EventBudget(MAX_CONTROL_FRAMES, CONTROL_FRAMES_WINDOW_SECONDS, now);
        super.handlerAdded(ctx);
        openConnection(ctx);
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) throws Exception {
        super.channelActive(ctx);
        openConnection(ctx);
    }

    private void openConnection(ChannelHandlerContext ctx) {
        if (opened || !ctx.channel().isActive()) {
            return;
        }
        opened = true;
        window.open();
        ctx.flush();
        lastHeardNanos = now(ctx);
        checkPeerIn(ctx, config.quietBeforePing().toNanos());
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) throws Exception {
        lastHeardNanos = now(ctx);
        for (var stream = touchedStreams; stream != null; ) {
            var next = stream.nextTouched == stream ? null : stream.nextTouched;
            stream.nextTouched = null;
            touchedStreams = next;
            if (stream.touched) {
                stream.touched = false;
                stream.onReadComplete();
            }
            stream = next;
        }
        window.onReadComplete();
        super.channelReadComplete(ctx);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) throws Exception {
        if (keepalive != null) {
            keepalive.cancel(false);
        }
        window.close();
        super.channelInactive(ctx); // closes the streams, see StreamStates
        markDraining();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) throws Exception {
        failure = cause;
        super.exceptionCaught(ctx, cause);
    }

    @Override
    protected void onConnectionError(
            ChannelHandlerContext ctx, boolean outbound, Throwable cause, @Nullable Http2Exception http2Ex) {
        failure = cause;
        markDraining();
        super.onConnectionError(ctx, outbound, cause, http2Ex);
        // GOAWAY is written before the close, and a peer that stopped reading would hold both back for ever.
        Runnable close = () -> {
            var _ = ctx.close();
        };
        var _ = ctx.executor().schedule(close, CLOSE_AFTER_ERROR_MILLIS, TimeUnit.MILLISECONDS);
    }

    @Override
    protected void onStreamError(
            ChannelHandlerContext ctx, boolean outbound, Throwable cause, Http2Exception.StreamException http2Ex) {
        if (!outbound && connection().stream(http2Ex.streamId()) == null && recentResets.contains(http2Ex.streamId())) {
            return; // it was on its way when we reset the stream (RFC 9113, 5.1, closed)
        }
        super.onStreamError(ctx, outbound, cause, http2Ex);
        long code = http2Ex.error().code();
        var broken = find(http2Ex.streamId());
        if (broken != null) {
            broken.onBroken(code, new ConnectFailure.MalformedAnswer(String.valueOf(http2Ex.getMessage())));
        }
        if (!outbound) {
            try {
                countHarmfulReset();
            } catch (Http2Exception tooMany) {
                onError(ctx, false, tooMany);
            }
        }
    }

    /// @throws Http2Exception when the peer has caused too many: ends the connection with ENHANCE_YOUR_CALM
    final void countHarmfulReset() throws Http2Exception {
        spend(harmfulResets, "resets of streams that were not answered");
    }

    private void spend(@Nullable EventBudget budget, String what) throws Http2Exception {
        if (budget != null && budget.exceededBy(now(context()))) {
            throw tooMany(what);
        }
    }

    private static Http2Exception tooMany(String what) {
        return Http2Exception.connectionError(Http2Error.ENHANCE_YOUR_CALM, "too many %s", what);
    }

    private void closeIfDrained() {
        var ctx = context;
        if (draining && ctx != null && ctx.channel().isActive() && connection().numActiveStreams() == 0) {
            onDrained(ctx);
        }
    }

    /// Closes after everything that was written has left.
    static void closeBehindWrites(ChannelHandlerContext ctx) {
        var _ = ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }

    private void breakAllStreams(long errorCode) {
        var lost = lost();
        try {
            connection().forEachActiveStream(stream -> {
                var broken = of(stream);
                if (broken != null) {
                    broken.onBroken(errorCode, lost);
                }
                return true;
            });
        } catch (Http2Exception e) {
            throw new IllegalStateException("the visitor above throws nothing", e);
        }
    }

    private ConnectFailure lost() {
        return new ConnectFailure.TunnelLost(failure);
    }

    // --- sign of life ---

    private void checkPeerIn(ChannelHandlerContext ctx, long nanos) {
        keepalive = ctx.executor().schedule(() -> checkPeer(ctx), nanos, TimeUnit.NANOSECONDS);
    }

    /// Hazard T11. Every byte of the peer is a sign of life, so a busy tunnel is never asked.
    private void checkPeer(ChannelHandlerContext ctx) {
        if (!ctx.channel().isActive()) {
            return;
        }
        long now = now(ctx);
        long quiet = now - lastHeardNanos;
        long askAfter = config.quietBeforePing().toNanos();
        long deadAfter = config.pingTimeout().toNanos();
        window.onSecondsPassed();
        if (lastHeardNanos - askedNanos >= 0) {
            pingOutstanding = false; // whatever was heard is as good as the answer
        }
        if (quiet < askAfter) {
            checkPeerIn(ctx, askAfter - quiet);
        } else if (pingOutstanding && now - askedNanos >= deadAfter) {
            failure = new SocketTimeoutException(
                    "peer silent for " + TimeUnit.NANOSECONDS.toMillis(quiet) + " ms, PING not answered");
            // Nobody acknowledges anything: the kernel would keep megabytes and send them again for a quarter of an
            // hour.
            ctx.channel().config().setOption(ChannelOption.SO_LINGER, 0);
            close();
        } else {
            if (!pingOutstanding) {
                pingOutstanding = true;
                askedNanos = now;
                var _ = encoder().writePing(ctx, false, KEEPALIVE_PING, ctx.newPromise());
                ctx.flush();
            }
            // Not later than the next question would be due, had the answer come at once.
            checkPeerIn(ctx, Math.min(askAfter, askedNanos + deadAfter - now));
        }
    }

    private static long now(ChannelHandlerContext ctx) {
        return ctx.executor().ticker().nanoTime();
    }

    private void onWritabilityChanged(Http2Stream stream) {
        var known = of(stream);
        if (known != null && known.isWritable()) {
            known.onWritable();
        }
    }

    /// An answer to a PING of ours that was not a question for a sign of life.
    void onPingAck(long data) {}

    private final class Frames extends Http2FrameAdapter {
        @Override
        public int onDataRead(ChannelHandlerContext ctx, int streamId, ByteBuf data, int padding, boolean endOfStream) {
            var stream = find(streamId);
            if (stream == null) {
                return data.readableBytes() + padding;
            }
            stream.onData(data, endOfStream);
            return padding; // the rest is credited when the application took it
        }

        @Override
        public void onHeadersRead(
                ChannelHandlerContext ctx,
                int streamId,
                Http2Headers headers,
                int streamDependency,
                short weight,
                boolean exclusive,
                int padding,
                boolean endOfStream)
                throws Http2Exception {
            onHeadersRead(ctx, streamId, headers, padding, endOfStream);
        }

        @Override
        public void onHeadersRead(
                ChannelHandlerContext ctx, int streamId, Http2Headers headers, int padding, boolean endOfStream)
                throws Http2Exception {
            var stream = connection().stream(streamId);
            if (stream != null) {
                onHeaders(stream, of(stream), headers, endOfStream);
            }
        }

        @Override
        public void onRstStreamRead(ChannelHandlerContext ctx, int streamId, long errorCode) throws Http2Exception {
            var stream = find(streamId);
            if (stream != null) {
                stream.onBroken(errorCode, new ConnectFailure.ResetBeforeAnswer(errorCode));
                TunnelHandler.this.onPeerReset();
            }
        }

        @Override
        public void onSettingsRead(ChannelHandlerContext ctx, Http2Settings settings) throws Http2Exception {
            spend(settingsFrames, "SETTINGS");
            onPeerSettings();
        }

        @Override
        public void onPingRead(ChannelHandlerContext ctx, long data) throws Http2Exception {
            spend(pingFrames, "PING");
        }

        @Override
        public void onPingAckRead(ChannelHandlerContext ctx, long data) {
            if (data != KEEPALIVE_PING) {
                onPingAck(data);
            }
        }

        @Override
        public void onWindowUpdateRead(ChannelHandlerContext ctx, int streamId, int windowSizeIncrement)
                throws Http2Exception {
            if (--windowUpdatesLeft < 0) {
                throw tooMany("WINDOW_UPDATE frames for what was sent");
            }
        }

        @Override
        public void onPriorityRead(
                ChannelHandlerContext ctx, int streamId, int streamDependency, short weight, boolean exclusive)
                throws Http2Exception {
            spend(priorityFrames, "PRIORITY");
        }
    }

    /// Called after {@link CodecStream#onBroken} for a reset by the peer.
    ///
    /// @throws Http2Exception when there were too many
    void onPeerReset() throws Http2Exception {}

    private final class StreamStates extends Http2ConnectionAdapter {
        @Override
        public void onStreamClosed(Http2Stream stream) {
            var closed = of(stream);
            if (closed != null) {
                boolean alive = context().channel().isActive();
                boolean ignoredByPeer = draining
                        && stream.id() > connection().local().lastStreamKnownByPeer()
                        && connection().goAwayReceived()
                        && connection().local().created(stream);
                closed.onClosed(alive, ignoredByPeer ? new ConnectFailure.TunnelDraining() : lost());
            }
            onStreamGone();
            closeIfDrained();
        }

        @Override
        public void onGoAwayReceived(int lastStreamId, long errorCode, ByteBuf debugData) {
            markDraining();
            // In a later turn: the codec closes the streams that the peer will not look at after this call.
            loop().execute(TunnelHandler.this::closeIfDrained);
        }
    }
}
