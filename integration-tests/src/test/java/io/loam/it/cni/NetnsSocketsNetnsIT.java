package io.loam.it.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.cni.rules.PodRedirection;
import io.loam.cni.rules.PodRules;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.NetnsThread;
import io.loam.protocol.linux.OriginalAddress;
import io.loam.protocol.linux.SocketOptions;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Sockets of event loops in a pod's namespace: opened there, marked, and told what they were addressed to.
class NetnsSocketsNetnsIT {
    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

    @AfterEach
    void stop() throws InterruptedException {
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }

    @ParameterizedTest
    @CsvSource({
        PodBench.NEIGHBOUR_V4 + ",7000",
        PodBench.NEIGHBOUR_V6 + ",7001",
        "203.0.113.9,443", // nobody there: redirection comes first
    })
    void aCapturedConnectionKnowsItsDestination(String address, int port) throws Exception {
        try (var bench = new PodBench();
                var netns = Netns.open(bench.podPath())) {
            new PodRedirection(bench.insidePod()).apply(new PodRules(false, false, List.of(), true));
            var destinations = new LinkedBlockingQueue<InetSocketAddress>();
            var listener = listen(netns, 15001, destinations);

            try (var client = bench.inPod(() -> new LineClient(address, port))) {
                assertThat(client).isNotNull();
                assertThat(destinations.poll(5, TimeUnit.SECONDS)).isEqualTo(new InetSocketAddress(address, port));
            }
            listener.close().await();
        }
    }

    @Test
    void aConnectionThatWasNotRedirectedIsForItsOwnAddress() throws Exception {
        try (var bench = new PodBench();
                var netns = Netns.open(bench.podPath())) {
            var destinations = new LinkedBlockingQueue<InetSocketAddress>();
            var listener = listen(netns, 15008, destinations);

            try (var client = bench.inNeighbour(() -> new LineClient(PodBench.POD_V4, 15008))) {
                assertThat(client).isNotNull();
                assertThat(destinations.poll(5, TimeUnit.SECONDS))
                        .isEqualTo(new InetSocketAddress(PodBench.POD_V4, 15008));
            }
            listener.close().await();
        }
    }

    @Test
    void theThreadComesBackEvenWhenTheTaskFails() throws Exception {
        try (var bench = new PodBench();
                var netns = Netns.open(bench.podPath());
                var home = Netns.current()) {
            var inside = netns.call(() -> {
                try (var here = Netns.current()) {
                    return here.inode();
                }
            });
            assertThat(inside).isEqualTo(netns.inode()).isNotEqualTo(home.inode());

            assertThatThrownBy(() -> netns.call(() -> {
                        throw new IllegalArgumentException("task");
                    }))
                    .hasMessage("task");

            try (var after = Netns.current()) {
                assertThat(after.inode()).isEqualTo(home.inode());
            }
        }
    }

    /// A thread that lives elsewhere goes back there, and not to where the process began.
    @Test
    void aThreadOfANamespaceComesBackToIt() throws Exception {
        try (var bench = new PodBench();
                var netns = Netns.open(bench.podPath());
                var home = Netns.current()) {
            var thread = NetnsThread.start(netns, "inside");
            try {
                var visited = thread.submit(() -> home.call(NetnsSocketsNetnsIT::here));
                var after = thread.submit(NetnsSocketsNetnsIT::here);

                assertThat(visited.get(5, TimeUnit.SECONDS)).isEqualTo(home.inode());
                assertThat(after.get(5, TimeUnit.SECONDS)).isEqualTo(netns.inode());
            } finally {
                thread.close();
            }
        }
    }

    private static long here() throws IOException {
        try (var current = Netns.current()) {
            return current.inode();
        }
    }

    @Test
    void virtualThreadsMayNotEnter() throws Exception {
        try (var bench = new PodBench();
                var netns = Netns.open(bench.podPath())) {
            var outcome = new CompletableFuture<Throwable>();
            Thread.ofVirtual().start(() -> {
                try {
                    netns.call(() -> "entered");
                    outcome.complete(new AssertionError("entered"));
                } catch (IllegalStateException | IOException e) {
                    outcome.complete(e);
                }
            });

            assertThat(outcome.get(5, TimeUnit.SECONDS))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("virtual thread");
        }
    }

    /// Called per connection on event loops: microseconds, and no descriptor stays behind.
    @Test
    void enteringIsCheapAndLeavesNothingOpen() throws Exception {
        try (var bench = new PodBench();
                var netns = Netns.open(bench.podPath())) {
            for (int i = 0; i < 2000; i++) {
                netns.call(() -> "warm");
            }
            var before = descriptors();
            var startNanos = System.nanoTime();
            for (int i = 0; i < 2000; i++) {
                netns.call(() -> "measured");
            }
            var eachMicros = (System.nanoTime() - startNanos) / 2000 / 1000;
            System.out.println("entering and leaving a namespace: " + eachMicros + " µs");

            assertThat(descriptors()).isEqualTo(before);
            assertThat(eachMicros).isLessThan(1000); // far above what it takes, far below what a loop would feel
        }
    }

    private static int descriptors() {
        var open = new File("/proc/self/fd").list();
        return open == null ? -1 : open.length;
    }

    private Channel listen(Netns netns, int port, BlockingQueue<InetSocketAddress> destinations) throws Exception {
        var bound = new ServerBootstrap()
                .group(loops)
                .channelFactory(() -> open(netns))
                .option(ChannelOption.SO_REUSEADDR, true)
                .option(SocketOptions.MARK, 0x539)
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        channel.pipeline().addLast(new ChannelInboundHandlerAdapter() {
                            @Override
                            public void channelActive(ChannelHandlerContext ctx) {
                                destinations.add(OriginalAddress.of(channel));
                            }
                        });
                    }
                })
                .bind(new InetSocketAddress("::", port))
                .sync();
        return bound.channel();
    }

    private static EpollServerSocketChannel open(Netns netns) {
        try {
            return netns.call(() -> new EpollServerSocketChannel());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
