package io.loam.jmh;

import io.loam.model.identity.SpiffeId;
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
import io.loam.runtime.tunnel.ClientTlsSource;
import io.loam.runtime.tunnel.OpenFailure;
import io.loam.runtime.tunnel.PooledOpening;
import io.loam.runtime.tunnel.TunnelKey;
import io.loam.runtime.tunnel.TunnelPool;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import io.loam.runtime.tunnel.TunnelSocketOptions;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/// Question: what does one write of an application cost until the other application has read it, through two relays and
/// a tunnel on real sockets, and does any thread allocate on the heap for it?
///
/// Expected: at most 150 µs for 16 KiB and 500 µs for 256 KiB on two idle processors, most of it wake-ups; heap bytes
/// only for Netty's frames and promises, at most 4 KiB for 16 KiB of payload.
@State(Scope.Benchmark)
public class SocketPairBenchmark {
    private static final SpiffeId CLIENT = new SpiffeId("cluster.local", "shop", "client");
    private static final SpiffeId SERVER = new SpiffeId("cluster.local", "shop", "server");
    private static final int READ_TIMEOUT_MILLIS = 10_000;

    private final byte[] payload = new byte[256 << 10];
    private final byte[] received = new byte[256 << 10];
    private final MultiThreadIoEventLoopGroup clientLoop =
            new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final MultiThreadIoEventLoopGroup serverLoop =
            new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private Socket source = new Socket();
    private Socket destination = new Socket();

    @Setup
    public void connect() throws IOException, InterruptedException {
        try (var certificates = new Certificates();
                var application = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            var inbound =
                    (InetSocketAddress) listenInbound(certificates.tls(SERVER)).localAddress();
            var target = application.getInetAddress().getHostAddress() + ":" + application.getLocalPort();
            var captured = (InetSocketAddress)
                    listenOutbound(certificates.tls(CLIENT), inbound, target).localAddress();
            application.setSoTimeout(READ_TIMEOUT_MILLIS);
            source = new Socket(captured.getAddress(), captured.getPort());
            source.setTcpNoDelay(true);
            destination = application.accept();
            destination.setSoTimeout(READ_TIMEOUT_MILLIS);
        }
    }

    @TearDown
    public void close() throws IOException {
        source.close();
        destination.close();
        clientLoop.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
        serverLoop.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
    }

    @Benchmark
    public int relay16KiB() throws IOException {
        return relay(16 << 10);
    }

    @Benchmark
    public int relay256KiB() throws IOException {
        return relay(256 << 10);
    }

    private int relay(int bytes) throws IOException {
        source.getOutputStream().write(payload, 0, bytes);
        int read = destination.getInputStream().readNBytes(received, 0, bytes);
        if (read != bytes) {
            throw new IOException("read " + read + " bytes (expected: " + bytes + ")");
        }
        return read;
    }

    /// The node of the destination: takes tunnels, and dials what they ask for.
    private Channel listenInbound(MeshTls tls) throws InterruptedException {
        return new ServerBootstrap()
                .group(serverLoop)
                .channel(EpollServerSocketChannel.class)
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        TunnelSocketOptions.applyTo(channel);
                        channel.pipeline()
                                .addLast(tls.newServerHandler(channel.alloc()))
                                .addLast(new RecordFiller())
                                .addLast(new AfterHandshake());
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
    }

    /// The node of the source: takes what is captured, and asks the pool for a stream.
    private Channel listenOutbound(MeshTls tls, InetSocketAddress inbound, String target) throws InterruptedException {
        var pool = new TunnelPool(
                clientLoop.next(),
                _ -> new EpollSocketChannel(),
                (key, loop) -> loop.newSucceededFuture(new ClientTlsSource.Workload(tls, key)),
                TunnelPoolConfig.DEFAULT,
                HboneConfig.DEFAULT);
        var key = new TunnelKey(CLIENT, InetAddress.getLoopbackAddress(), Set.of(SERVER), inbound);
        return new ServerBootstrap()
                .group(clientLoop)
                .channel(EpollServerSocketChannel.class)
                .childOption(ChannelOption.AUTO_READ, false)
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        var relay = Relay.of(ApplicationSocket.of(channel), (_, _, _) -> {});
                        pool.open(key, ConnectRequest.to(target), new Outbound(relay, channel));
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
    }

    private record Outbound(Relay relay, Channel application) implements PooledOpening {
        @Override
        public TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream stream, ConnectResponse response) {
            relay.start(stream);
            return relay.streamListener();
        }

        /// The benchmark sees its socket closed, and fails.
        @Override
        public void onFailed(OpenFailure failure) {
            var _ = application.close();
        }

        @Override
        public void onBug(Throwable cause) {
            var _ = application.close();
        }
    }

    private final class AfterHandshake extends ChannelInboundHandlerAdapter {
        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof SslHandshakeCompletionEvent handshake && handshake.isSuccess()) {
                ctx.pipeline().replace(this, "hbone", HboneServerHandler.create(this::dial));
            }
        }

        private void dial(ConnectRequest request, PendingStream pending) {
            int colon = request.authority().lastIndexOf(':');
            int port = Integer.parseInt(request.authority().substring(colon + 1));
            var _ = new Bootstrap()
                    .group(serverLoop)
                    .channel(EpollSocketChannel.class)
                    .option(ChannelOption.AUTO_READ, false)
                    .handler(new ChannelInboundHandlerAdapter())
                    .connect(InetAddress.getLoopbackAddress(), port)
                    .addListener((ChannelFutureListener) connected -> join(connected.channel(), pending));
        }

        private void join(Channel application, PendingStream pending) {
            if (!application.isActive()) {
                pending.refuse(503);
                return;
            }
            var relay = Relay.of(ApplicationSocket.of((EpollSocketChannel) application), (_, _, _) -> {});
            relay.start(pending.accept(ConnectResponse.PLAIN, relay.streamListener()));
        }
    }
}
