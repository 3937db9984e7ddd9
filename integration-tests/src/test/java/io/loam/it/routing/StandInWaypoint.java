package io.loam.it.routing;

import io.loam.ca.CertificateAuthority;
import io.loam.model.decision.ProxyPorts;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.hbone.ConnectHandler;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.HboneServerHandler;
import io.loam.protocol.hbone.PendingStream;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.tls.MeshTls;
import io.loam.protocol.tls.WorkloadCsr;
import io.loam.runtime.tunnel.ClientTlsSource;
import io.loam.runtime.tunnel.OpenFailure;
import io.loam.runtime.tunnel.PooledOpening;
import io.loam.runtime.tunnel.TunnelKey;
import io.loam.runtime.tunnel.TunnelPool;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// What a waypoint is at L4 (wire reference, 2.9): ends tunnels in its pod's namespace, under a certificate
/// of the lab's CA, and opens one to the endpoint under its own identity. It looks at no byte.
final class StandInWaypoint implements AutoCloseable {
    /// The authority and the caller of each CONNECT.
    record Seen(String authority, @Nullable SpiffeId caller) {}

    final List<Seen> seen = new CopyOnWriteArrayList<>();

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final Netns netns;
    private final TunnelKey upstream;
    private final String upstreamAuthority;
    private final TunnelPool pool;

    /// @param caDirectory of the lab's CA
    /// @param netns of the waypoint's pod, whose address is `own`
    /// @param endpoint where everything goes, and who has to be there
    StandInWaypoint(
            Path caDirectory,
            SpiffeId identity,
            Path netns,
            InetAddress own,
            InetSocketAddress endpoint,
            SpiffeId endpointIdentity)
            throws Exception {
        this.netns = Netns.open(netns);
        var clock = InstantSource.system();
        var csr = WorkloadCsr.generate(identity);
        var issued = CertificateAuthority.openOrCreate(caDirectory, clock)
                .issueWorkload(identity, csr.pem(), Duration.ofHours(1));
        var tls = MeshTls.of(csr.accept(issued.certChain()), clock);
        upstream = new TunnelKey(
                identity,
                own,
                Set.of(endpointIdentity),
                new InetSocketAddress(endpoint.getAddress(), ProxyPorts.HBONE));
        upstreamAuthority = endpoint.getAddress().getHostAddress() + ":" + endpoint.getPort();
        var loop = group.next();
        pool = new TunnelPool(
                loop,
                _ -> inside(EpollSocketChannel::new),
                (key, eventLoop) -> eventLoop.newSucceededFuture(new ClientTlsSource.Workload(tls, key)),
                TunnelPoolConfig.DEFAULT,
                HboneConfig.DEFAULT);
        new ServerBootstrap()
                .group(loop, loop)
                .channelFactory(() -> inside(EpollServerSocketChannel::new))
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        var ssl = tls.newServerHandler(channel.alloc());
                        channel.pipeline().addLast(ssl).addLast(new AfterHandshake(ssl));
                    }
                })
                .bind(own, ProxyPorts.HBONE)
                .sync();
    }

    private <T> T inside(Netns.Task<T, RuntimeException> open) {
        try {
            return netns.call(open);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Gives way to HTTP/2 once the peer is proved.
    private final class AfterHandshake extends ChannelInboundHandlerAdapter {
        private final SslHandler ssl;

        AfterHandshake(SslHandler ssl) {
            this.ssl = ssl;
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof SslHandshakeCompletionEvent done && done.isSuccess()) {
                var caller = MeshTls.peer(ssl).orElse(null);
                ConnectHandler connects = (request, stream) -> forward(request, stream, caller);
                ctx.pipeline().replace(this, "http2", HboneServerHandler.create(HboneConfig.DEFAULT, connects));
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            var _ = ctx.close(); // a peer that does not like us; the test looks at what came of it
        }
    }

    private void forward(ConnectRequest request, PendingStream stream, @Nullable SpiffeId caller) {
        seen.add(new Seen(request.authority(), caller));
        var onward = new ConnectRequest(upstreamAuthority, null, null, null);
        var _ = pool.open(upstream, onward, new PooledOpening() {
            @Override
            public TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream up, ConnectResponse response) {
                var fromCaller = new Pipe();
                var fromEndpoint = new Pipe();
                fromEndpoint.own = up;
                fromCaller.other = up;
                var down = stream.accept(ConnectResponse.PLAIN, fromCaller);
                fromCaller.own = down;
                fromEndpoint.other = down;
                return fromEndpoint;
            }

            @Override
            public void onFailed(OpenFailure failure) {
                stream.refuse(503);
            }

            @Override
            public void onBug(Throwable cause) {
                throw new AssertionError(cause);
            }
        });
    }

    /// One direction.
    private static final class Pipe implements TunnelStream.Listener {
        private @Nullable TunnelStream own;
        private @Nullable TunnelStream other;

        @Override
        public void onData(ByteBuf data) {
            int bytes = data.readableBytes();
            to().write(data);
            if (own != null) {
                own.credit(bytes);
            }
        }

        private TunnelStream to() {
            if (other == null) {
                throw new IllegalStateException("data before both streams are open");
            }
            return other;
        }

        @Override
        public void onReadComplete() {
            to().flush();
        }

        @Override
        public void onEndStream() {
            to().endStream();
        }

        @Override
        public void onFinished() {}

        @Override
        public void onReset(long errorCode) {
            to().reset(errorCode);
        }

        @Override
        public void onWritable() {}

        @Override
        public void onBug(Throwable cause) {
            throw new AssertionError(cause);
        }
    }

    @Override
    public void close() {
        var _ = group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
        netns.close();
    }
}
