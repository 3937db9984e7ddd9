package io.loam.runtime.tunnel;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.hbone.ConnectHandler;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.HboneServerHandler;
import io.loam.protocol.hbone.PendingStream;
import io.loam.protocol.hbone.RecordFiller;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.loam.protocol.tls.MeshTls;
import io.loam.runtime.relay.ApplicationSocket;
import io.loam.runtime.relay.Relay;
import io.loam.runtime.relay.RelayEnd;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/// Two proxies and the tunnel between them, all on the loopback interface: what the node agent is, less capture and
/// policy. Applications are ordinary blocking sockets of the tests.
public final class LoopbackMesh implements AutoCloseable {
    public static final SpiffeId CLIENT = TestCertificates.id("client");
    public static final SpiffeId SERVER = TestCertificates.id("server");

    public final List<RelayEnd> clientEnds = new CopyOnWriteArrayList<>();
    public final List<RelayEnd> serverEnds = new CopyOnWriteArrayList<>();
    public final List<OpenFailure> failures = new CopyOnWriteArrayList<>();
    public final List<HboneServerHandler> inboundTunnels = new CopyOnWriteArrayList<>();
    public final AtomicInteger handshakes = new AtomicInteger();
    public final AtomicInteger dials = new AtomicInteger();

    private final MultiThreadIoEventLoopGroup clientGroup =
            new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final MultiThreadIoEventLoopGroup serverGroup =
            new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final EventLoop clientLoop = clientGroup.next();
    private final TestCertificates certificates = new TestCertificates();
    private final HboneConfig hbone;
    private final TunnelPool pool;
    private final Channel inbound;
    private volatile ConnectHandler verdicts = this::dial;

    public LoopbackMesh() throws Exception {
        this(HboneConfig.DEFAULT, TunnelPoolConfig.DEFAULT);
    }

    public LoopbackMesh(HboneConfig hbone, TunnelPoolConfig poolConfig) throws Exception {
        this.hbone = hbone;
        var clientTls = certificates.tls(CLIENT);
        pool = new TunnelPool(
                clientLoop,
                key -> {
                    dials.incrementAndGet();
                    return new EpollSocketChannel();
                },
                (key, loop) -> loop.newSucceededFuture(new ClientTlsSource.Workload(clientTls, key)),
                poolConfig,
                hbone);
        inbound = listenInbound(certificates.tls(SERVER));
    }

    /// What decides about CONNECT requests from now on; at first, every destination is dialled.
    public void verdicts(ConnectHandler handler) {
        verdicts = handler;
    }

    public TestCertificates certificates() {
        return certificates;
    }

    public TunnelPool pool() {
        return pool;
    }

    public EventLoop clientLoop() {
        return clientLoop;
    }

    public InetSocketAddress inboundAddress() {
        return (InetSocketAddress) inbound.localAddress();
    }

    public TunnelKey key() {
        return key(SERVER);
    }

    public TunnelKey key(SpiffeId expected) {
        return new TunnelKey(CLIENT, InetAddress.getLoopbackAddress(), Set.of(expected), inboundAddress());
    }

    /// A further server proxy, with the certificate of another identity.
    public Channel listenInbound(MeshTls tls) throws Exception {
        return new ServerBootstrap()
                .group(serverGroup)
                .channel(EpollServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        TunnelSocketOptions.applyTo(channel);
                        var ssl = tls.newServerHandler(channel.alloc());
                        channel.pipeline()
                                .addLast(ssl)
                                .addLast(new RecordFiller())
                                .addLast(new InboundTail(ssl));
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
    }

    /// A port at which connections to `target` are captured.
    public InetSocketAddress capture(InetSocketAddress target) throws Exception {
        return capture(target, key());
    }

    public InetSocketAddress capture(InetSocketAddress target, TunnelKey key) throws Exception {
        var listener = new ServerBootstrap()
                .group(clientGroup)
                .channel(EpollServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childOption(ChannelOption.AUTO_READ, false)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        captured(ApplicationSocket.of(channel), target, key);
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
        return (InetSocketAddress) listener.localAddress();
    }

    private void captured(ApplicationSocket socket, InetSocketAddress target, TunnelKey key) {
        var relay = Relay.of(socket, (end, _, _) -> clientEnds.add(end));
        var authority = target.getAddress().getHostAddress() + ":" + target.getPort();
        pool.open(key, ConnectRequest.to(authority), new PooledOpening() {
            @Override
            public TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream stream, ConnectResponse response) {
                relay.start(stream);
                return relay.streamListener();
            }

            @Override
            public void onFailed(OpenFailure failure) {
                failures.add(failure);
                socket.channel().config().setOption(ChannelOption.SO_LINGER, 0);
                var _ = socket.channel().close();
            }

            @Override
            public void onBug(Throwable cause) {
                clientEnds.add(new RelayEnd.Bug(cause));
            }
        });
    }

    private void dial(ConnectRequest request, PendingStream pending) {
        var authority = request.authority();
        int colon = authority.lastIndexOf(':');
        var target =
                new InetSocketAddress(authority.substring(0, colon), Integer.parseInt(authority.substring(colon + 1)));
        var dialled = new Bootstrap()
                .group(serverGroup)
                .channel(EpollSocketChannel.class)
                .option(ChannelOption.AUTO_READ, false)
                .option(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .handler(new ChannelInboundHandlerAdapter())
                .connect(target);
        pending.whenAbandoned(() -> {
            var _ = dialled.channel().close();
        });
        var _ = dialled.addListener((ChannelFutureListener) connected -> {
            if (!connected.isSuccess()) {
                pending.refuse(503);
            } else if (pending.isWaiting()) {
                var relay = Relay.of(
                        ApplicationSocket.of((EpollSocketChannel) connected.channel()),
                        (end, _, _) -> serverEnds.add(end));
                relay.start(pending.accept(ConnectResponse.PLAIN, relay.streamListener()));
            }
        });
    }

    public <T> T onClientLoop(Callable<T> task) throws Exception {
        return clientLoop.submit(task).get(10, TimeUnit.SECONDS);
    }

    /// A blocking socket to a captured port, with a limit on how long a read may take.
    public static Socket connect(InetSocketAddress captured) throws Exception {
        var socket = new Socket();
        socket.connect(captured, 10_000);
        socket.setSoTimeout(8_000);
        socket.setTcpNoDelay(true);
        return socket;
    }

    @Override
    public void close() {
        clientLoop.submit(pool::close).awaitUninterruptibly(10, TimeUnit.SECONDS);
        clientGroup.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
        serverGroup.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
    }

    private final class InboundTail extends ChannelInboundHandlerAdapter {
        private final SslHandler ssl;

        InboundTail(SslHandler ssl) {
            this.ssl = ssl;
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof SslHandshakeCompletionEvent handshake && handshake.isSuccess()) {
                handshakes.incrementAndGet();
                var tunnel = HboneServerHandler.create(hbone, (request, stream) -> verdicts.onConnect(request, stream));
                inboundTunnels.add(tunnel);
                ctx.pipeline().addAfter(ctx.pipeline().context(ssl).name(), "hbone", tunnel);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            var _ = ctx.close();
        }
    }
}
