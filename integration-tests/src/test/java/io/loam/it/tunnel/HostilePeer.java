package io.loam.it.tunnel;

import io.loam.ca.CertificateAuthority;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.tls.MeshTls;
import io.loam.protocol.tls.WorkloadCsr;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.http2.Http2CodecUtil;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A peer with a good certificate (of the client's account, in `plain/outsider`, which nobody captures) that writes
/// whatever bytes it likes into its tunnels to `mesh/server`.
final class HostilePeer implements AutoCloseable {
    static final int HEADERS = 1;
    static final int PRIORITY = 2;
    static final int RST_STREAM = 3;
    static final int SETTINGS = 4;
    static final int PING = 6;
    static final int GOAWAY = 7;
    static final int WINDOW_UPDATE = 8;
    static final int END_HEADERS = 4;

    private static final int HIGH_WATER_BYTES = 256 << 10;
    private static final int FRAME_HEADER_BYTES = 9;
    private static final int MOST_FRAME_BYTES = 1 << 20;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final TunnelLab mesh;
    private final Netns netns;
    private final MeshTls tls;
    private final InetSocketAddress server;

    HostilePeer(TunnelLab mesh) throws Exception {
        this.mesh = mesh;
        var source = new SpiffeId("cluster.local", "mesh", "client");
        var request = WorkloadCsr.generate(source);
        var issued = CertificateAuthority.openOrCreate(
                        mesh.lab().name().stateDir().resolve("ca"), InstantSource.system())
                .issueWorkload(source, request.pem(), Duration.ofHours(1));
        tls = MeshTls.of(request.accept(issued.certChain()), InstantSource.system());
        netns = Netns.open(mesh.lab().podNetns("plain/outsider"));
        server = new InetSocketAddress(mesh.ipv4("mesh/server"), TunnelLab.HBONE);
    }

    /// A tunnel over which preface and SETTINGS have gone.
    ///
    /// @param reads whether the peer reads what the server says once the handshake is done
    Attack open(boolean reads) throws InterruptedException {
        var expected = Set.of(new SpiffeId("cluster.local", "mesh", "server"));
        var goAways = new LinkedBlockingQueue<Integer>();
        var channel = new Bootstrap()
                .group(group)
                .channelFactory(this::socket)
                .option(
                        ChannelOption.WRITE_BUFFER_WATER_MARK,
                        new WriteBufferWaterMark(HIGH_WATER_BYTES / 2, HIGH_WATER_BYTES))
                .handler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel ch) {
                        ch.pipeline()
                                .addLast(
                                        tls.newClientHandler(ch.alloc(), expected),
                                        new LengthFieldBasedFrameDecoder(MOST_FRAME_BYTES, 0, 3, 6, 0),
                                        new Deaf(goAways));
                    }
                })
                .connect(server)
                .sync()
                .channel();
        channel.pipeline().get(SslHandler.class).handshakeFuture().sync();
        channel.config().setAutoRead(reads);
        var attack = new Attack(channel, goAways, channel.pipeline().get(Deaf.class));
        attack.write(Http2CodecUtil.connectionPrefaceBuf().copy());
        attack.write(frame(SETTINGS, 0, 0, Unpooled.EMPTY_BUFFER));
        return attack;
    }

    private Channel socket() {
        try {
            return netns.call(() -> new EpollSocketChannel());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static ByteBuf frame(int type, int flags, int stream, ByteBuf payload) {
        var frame = Unpooled.buffer(9 + payload.readableBytes());
        frame.writeMedium(payload.readableBytes())
                .writeByte(type)
                .writeByte(flags)
                .writeInt(stream);
        frame.writeBytes(payload);
        payload.release();
        return frame;
    }

    /// CONNECT to the echo server in the pod, on one stream.
    ByteBuf connect(int stream) {
        return connect(stream, TunnelLab.CROWD);
    }

    ByteBuf connect(int stream, int port) {
        var authority = mesh.ipv4("mesh/server").getHostAddress() + ":" + port;
        var block = Unpooled.buffer();
        block.writeByte(2)
                .writeByte(7)
                .writeCharSequence("CONNECT", StandardCharsets.US_ASCII); // :method, static table
        block.writeByte(1).writeByte(authority.length()).writeCharSequence(authority, StandardCharsets.US_ASCII);
        return frame(HEADERS, END_HEADERS, stream, block);
    }

    @Override
    public void close() {
        group.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
        netns.close();
    }

    /// One tunnel of the peer.
    static final class Attack implements AutoCloseable {
        private final Channel channel;
        private final BlockingQueue<Integer> goAways;
        private final Deaf deaf;

        private Attack(Channel channel, BlockingQueue<Integer> goAways, Deaf deaf) {
            this.channel = channel;
            this.goAways = goAways;
            this.deaf = deaf;
        }

        /// @return the last stream that the server's next GOAWAY speaks for, null if none came in time
        @Nullable
        Integer goAwayWithin(Duration time) throws InterruptedException {
            return goAways.poll(time.toMillis(), TimeUnit.MILLISECONDS);
        }

        /// Waits until the server has read what was written, or has said GOAWAY, or has closed.
        void awaitRead() throws InterruptedException, IOException {
            long expected = deaf.answers + 1;
            write(frame(PING, 0, 0, Unpooled.copyLong(expected)));
            TunnelLab.await(
                    "an answer to PING",
                    Duration.ofSeconds(10),
                    () -> deaf.answers >= expected || deaf.error >= 0 || !channel.isOpen());
        }

        /// Of the server's last GOAWAY (RFC 9113, section 7); -1 before the first.
        long error() {
            return deaf.error;
        }

        /// As fast as the socket takes it.
        void write(ByteBuf frame) throws InterruptedException {
            var written = channel.writeAndFlush(frame);
            if (!channel.isWritable()) {
                written.await(100);
            }
        }

        boolean isOpen() {
            return channel.isOpen();
        }

        /// A peer that does not read sees the end only so.
        void readToTheEnd() {
            channel.config().setAutoRead(true);
        }

        boolean isClosedWithin(Duration time) throws InterruptedException {
            readToTheEnd();
            return channel.closeFuture().await(time.toMillis());
        }

        @Override
        public void close() {
            channel.close().awaitUninterruptibly();
        }
    }

    /// Answers the server nothing, not even a PING.
    private static final class Deaf extends ChannelInboundHandlerAdapter {
        private static final int ACK = 1;

        private final BlockingQueue<Integer> goAways;
        private volatile long error = -1;
        private volatile long answers;

        Deaf(BlockingQueue<Integer> goAways) {
            this.goAways = goAways;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            var frame = (ByteBuf) message;
            if (frame.getByte(3) == GOAWAY) {
                goAways.add(frame.getInt(FRAME_HEADER_BYTES));
                error = frame.getUnsignedInt(FRAME_HEADER_BYTES + Integer.BYTES);
            } else if (frame.getByte(3) == PING && frame.getByte(4) == ACK) {
                answers = frame.getLong(FRAME_HEADER_BYTES);
            }
            frame.release();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            var _ = ctx.close(); // a reset by the server is an end as good as any
        }
    }
}
