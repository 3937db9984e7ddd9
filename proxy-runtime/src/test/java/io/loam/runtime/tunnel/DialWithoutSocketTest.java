package io.loam.runtime.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelException;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.ssl.SslHandler;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Hazard P10: descriptors that have run out fail connections, and not for longer than they are missing.
class DialWithoutSocketTest {
    private static final TunnelKey KEY = new TunnelKey(
            TestCertificates.id("client"),
            InetAddress.ofLiteral("127.0.0.1"),
            Set.of(TestCertificates.id("server")),
            new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 15008));

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final EventLoop loop = group.next();

    @AfterEach
    void stop() {
        group.shutdownGracefully(0, 0, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /// The first failure used to be told on another thread and to get lost there: whoever asked for the same peer from
    /// then on waited for ever.
    @Test
    void everyDialFailsOnTheLoopWhenNoSocketCanBeHad() throws Exception {
        var pool = pool(_ -> {
            throw new ChannelException("Too many open files");
        });
        for (int attempt = 0; attempt < 2; attempt++) {
            assertThat(failureOf(pool).reason()).contains("Too many open files");
        }
    }

    /// Hazards, rule 6: the reason is our own limit, and whoever reads the access log is not sent to the network.
    @Test
    void aSocketThatALimitRefusesIsToldApartFromAFailedDial() throws Exception {
        var pool = pool(_ -> {
            throw new SocketLimitException();
        });

        var failure = failureOf(pool);

        assertThat(failure).isInstanceOf(OpenFailure.SocketLimit.class);
        assertThat(failure.reason()).isEqualTo("no socket for a tunnel: too many open connections");
    }

    private TunnelPool pool(TunnelSockets sockets) {
        return new TunnelPool(
                loop,
                sockets,
                (_, eventLoop) -> eventLoop.newSucceededFuture(new NoHandshake()),
                TunnelPoolConfig.DEFAULT,
                HboneConfig.DEFAULT);
    }

    private static final class NoHandshake implements ClientTls {
        @Override
        public SslHandler newHandler(ByteBufAllocator allocator) {
            throw new AssertionError("no socket, no handshake");
        }

        @Override
        public Runnable whenRevoked(SslHandler handler, Runnable cut) {
            throw new AssertionError("no handshake, no peer");
        }
    }

    private OpenFailure failureOf(TunnelPool pool) throws Exception {
        var failure = new CompletableFuture<OpenFailure>();
        loop.execute(() -> pool.open(KEY, ConnectRequest.to("127.0.0.1:80"), new PooledOpening() {
            @Override
            public TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream stream, ConnectResponse response) {
                throw new AssertionError("opened without a socket");
            }

            @Override
            public void onFailed(OpenFailure reason) {
                assertThat(loop.inEventLoop()).isTrue();
                failure.complete(reason);
            }

            @Override
            public void onBug(Throwable cause) {
                failure.completeExceptionally(cause);
            }
        }));
        return failure.get(5, TimeUnit.SECONDS);
    }
}
