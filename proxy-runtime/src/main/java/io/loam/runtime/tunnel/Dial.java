package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.HboneClientHandler;
import io.loam.protocol.hbone.RecordFiller;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.tls.PeerRefusedException;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.concurrent.Future;
import java.net.InetSocketAddress;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/// Makes one tunnel: certificate, TCP, TLS, HTTP/2.
///
/// The tunnel counts as made when the peer's SETTINGS are here, not when the handshake is done. In TLS 1.3 a client
/// is done before the server has looked at its certificate, and the refusal comes as an alert afterwards: whoever
/// stopped earlier would take a refused tunnel for a good one. It also means that the peer's stream limit is known
/// before the first stream (hazard T15). The price is one round trip on the first connection of a tunnel.
final class Dial implements RunningDial, Tunnel.Listener {
    private final TunnelKey key;
    private final PoolParts parts;
    private final PeerTunnels owner;
    private @Nullable Channel channel;
    private @Nullable TunnelPipeline pipeline;
    private @Nullable Future<?> timeout;
    private @Nullable Throwable failure;
    private Phase phase = Phase.CERTIFICATE;
    private boolean done;

    private enum Phase {
        CERTIFICATE("certificate"),
        CONNECT("TCP connect"),
        HANDSHAKE("TLS handshake"),
        SETTINGS("HTTP/2 setup");

        private final String text;

        Phase(String text) {
            this.text = text;
        }
    }

    Dial(TunnelKey key, PoolParts parts, PeerTunnels owner) {
        this.key = key;
        this.parts = parts;
        this.owner = owner;
    }

    @Override
    public void start() {
        timeout = parts.loop()
                .schedule(this::onTimeout, parts.config().connectTimeout().toNanos(), TimeUnit.NANOSECONDS);
        var _ = parts.tls().clientTls(key, parts.loop()).addListener((Future<ClientTls> tls) -> {
            if (parts.loop().inEventLoop()) {
                onTls(tls);
            } else {
                parts.loop().execute(() -> onTls(tls));
            }
        });
    }

    @Override
    public void cancel() {
        finish();
        closeChannel();
    }

    @Override
    public String phase() {
        return phase.text;
    }

    private void onTimeout() {
        if (finish()) {
            closeChannel();
            owner.onDialTimedOut();
        }
    }

    private void onTls(Future<ClientTls> tls) {
        if (done) {
            return;
        }
        if (!tls.isSuccess()) {
            fail(new OpenFailure.NoCertificate(tls.cause()));
            return;
        }
        phase = Phase.CONNECT;
        connect(tls.getNow());
    }

    /// The socket is opened before the bootstrap sees it: one that cannot be had (no descriptors left) would come back
    /// as a channel without a loop, and its listener would run on a thread that is not ours.
    private void connect(ClientTls tls) {
        Channel socket;
        try {
            socket = parts.sockets().open(key);
        } catch (SocketLimitException e) {
            fail(new OpenFailure.SocketLimit(e));
            return;
        } catch (Exception e) {
            fail(new OpenFailure.DialFailed(e));
            return;
        }
        var made = new TunnelPipeline(tls);
        pipeline = made;
        var connected = new Bootstrap()
                .group(parts.loop())
                .channelFactory(() -> socket)
                .option(
                        ChannelOption.CONNECT_TIMEOUT_MILLIS,
                        Math.toIntExact(parts.config().connectTimeout().toMillis()))
                .handler(made)
                .connect(key.destination(), new InetSocketAddress(key.sourceAddress(), 0));
        channel = connected.channel();
        var _ = connected.addListener((ChannelFutureListener) this::onConnected);
    }

    private void onConnected(ChannelFuture connected) {
        if (done) {
            closeChannel();
        } else if (!connected.isSuccess()) {
            fail(new OpenFailure.DialFailed(connected.cause()));
        }
    }

    private void onHandshake(SslHandshakeCompletionEvent handshake) {
        if (handshake.isSuccess()) {
            phase = Phase.SETTINGS;
        } else {
            fail(refused(handshake.cause()));
        }
    }

    private void onClosed() {
        var cause = failure;
        if (cause != null && tlsFailure(cause) instanceof SSLException refusal) {
            fail(refused(refusal));
        } else if (cause != null) {
            fail(new OpenFailure.SetupFailed(phase.text + ": " + cause));
        } else {
            fail(new OpenFailure.SetupFailed("peer closed during " + phase.text));
        }
    }

    private static OpenFailure refused(Throwable cause) {
        var ours = PeerRefusedException.in(cause);
        return ours != null && ours.reason() == PeerRefusedException.Reason.UNEXPECTED_IDENTITY
                ? new OpenFailure.AnotherPeer(cause)
                : new OpenFailure.TlsRefused(cause);
    }

    private static @Nullable Throwable tlsFailure(Throwable cause) {
        for (Throwable inner = cause; inner != null; inner = inner.getCause()) {
            if (inner instanceof SSLException) {
                return inner;
            }
        }
        return null;
    }

    private void fail(OpenFailure reason) {
        if (finish()) {
            closeChannel();
            owner.onDialFailed(reason);
        }
    }

    /// @return whether the dial was still open
    private boolean finish() {
        if (done) {
            return false;
        }
        done = true;
        if (timeout != null) {
            timeout.cancel(false);
        }
        return true;
    }

    private void closeChannel() {
        if (channel != null) {
            var _ = channel.close();
        }
    }

    @Override
    public void onReady(Tunnel tunnel) {
        if (finish()) {
            watchRevocation(tunnel);
            owner.onDialled(tunnel);
        }
    }

    /// Hazard I6. A certificate that was revoked since the handshake ends the tunnel in a later turn of
    /// the loop, when the pool has heard of it.
    private void watchRevocation(Tunnel tunnel) {
        var proved = Objects.requireNonNull(pipeline, "a tunnel that is ready has a pipeline");
        var watch = proved.tls.whenRevoked(
                Objects.requireNonNull(proved.handler), () -> parts.loop().execute(tunnel::closeRevoked));
        var _ = tunnel.channel().closeFuture().addListener(_ -> watch.run());
    }

    @Override
    public void onRoom(Tunnel tunnel) {
        if (done) {
            owner.onRoom();
        }
    }

    @Override
    public void onDraining(Tunnel tunnel) {
        if (!done && channel != null && channel.isActive()) {
            fail(new OpenFailure.SetupFailed("peer drains"));
        }
    }

    /// The way of a byte of the peer, top to bottom.
    private final class TunnelPipeline extends ChannelInitializer<Channel> {
        private final ClientTls tls;
        private @Nullable SslHandler handler;

        TunnelPipeline(ClientTls tls) {
            this.tls = tls;
        }

        @Override
        protected void initChannel(Channel made) {
            TunnelSocketOptions.applyTo(made);
            var handshake = tls.newHandler(made.alloc());
            handler = handshake;
            made.pipeline()
                    .addLast("tls", handshake) // proves who the peer is
                    .addLast("records", new RecordFiller()) // small frames of one flush become one TLS record
                    .addLast(
                            "hbone",
                            HboneClientHandler.create(
                                    parts.hbone(), parts.budget(), Dial.this)) // frames, windows, streams
                    .addLast("tail", new Tail()); // the one place a failure of this connection is noticed
        }
    }

    private final class Tail extends ChannelInboundHandlerAdapter {
        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            phase = Phase.HANDSHAKE;
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof SslHandshakeCompletionEvent handshake && !done) {
                onHandshake(handshake);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            if (failure == null) {
                failure = cause;
            }
            var _ = ctx.close();
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            if (!done) {
                onClosed();
            }
        }
    }
}
