package io.loam.it.sockets;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.pod.PodSockets;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.SocketOptions;
import io.loam.runtime.config.SocketConfig;
import io.loam.runtime.config.SocketConfig.KeepAlive;
import io.loam.runtime.relay.AdaptiveReads;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// What the agent's sockets have set, asked of the kernel: half of it is inherited from the listener, and a tunnel
/// that was accepted must read and write as one that was dialled (fast path, rules 3, 10 and 13).
class PodSocketsNetnsIT {
    private static final int MARK = 0x539;
    private static final SocketConfig CONFIG = new SocketConfig(
            MARK,
            true,
            true,
            true,
            new KeepAlive(true, Duration.ofSeconds(47), Duration.ofSeconds(11), 5, false),
            Duration.ofSeconds(5));

    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

    @AfterEach
    void stop() throws InterruptedException {
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    @Test
    void bothEndsOfATunnelHaveTheSameOptions() throws Exception {
        try (var own = Netns.current()) {
            var loopback = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
            var sockets = new PodSockets(own, CONFIG);
            var accepted = new CompletableFuture<EpollSocketChannel>();
            var listener = sockets.listener();
            var bound = new ServerBootstrap()
                    .group(loops)
                    .channelFactory(() -> listener)
                    .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                        @Override
                        protected void initChannel(EpollSocketChannel channel) {
                            sockets.tunnel(channel);
                            accepted.complete(channel);
                        }
                    })
                    .bind(new InetSocketAddress(loopback, 0))
                    .sync()
                    .channel();
            var dialled = sockets.dialling(loopback);
            sockets.tunnel(dialled);
            new Bootstrap()
                    .group(loops)
                    .channelFactory(() -> dialled)
                    .handler(new ChannelInboundHandlerAdapter())
                    .connect(bound.localAddress())
                    .sync();

            assertTunnel(dialled);
            assertTunnel(accepted.get(5, TimeUnit.SECONDS));
        }
    }

    private static void assertTunnel(EpollSocketChannel channel) {
        var config = channel.config();
        assertThat(config.getOption(SocketOptions.MARK)).isEqualTo(MARK);
        assertThat(config.getOption(ChannelOption.TCP_NODELAY)).isTrue();
        assertThat(config.getOption(ChannelOption.SO_KEEPALIVE)).isTrue();
        assertThat(config.getOption(EpollChannelOption.TCP_KEEPIDLE)).isEqualTo(47);
        assertThat(config.getOption(EpollChannelOption.TCP_KEEPINTVL)).isEqualTo(11);
        assertThat(config.getOption(EpollChannelOption.TCP_KEEPCNT)).isEqualTo(5);
        assertThat(config.getOption(EpollChannelOption.TCP_NOTSENT_LOWAT)).isEqualTo(64L << 10);
        assertThat(config.getWriteBufferHighWaterMark()).isEqualTo(512 << 10);
        assertThat((Object) config.getRecvByteBufAllocator()).isInstanceOf(AdaptiveReads.class);
    }
}
