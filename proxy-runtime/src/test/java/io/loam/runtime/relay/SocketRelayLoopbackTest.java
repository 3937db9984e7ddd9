package io.loam.runtime.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The plaintext path: a socket, a relay, a socket, on one event loop as in the agent.
@Timeout(60)
final class SocketRelayLoopbackTest {
    private static final byte[] ANSWER = "8 bytes!".getBytes(StandardCharsets.US_ASCII);

    private final ExecutorService applications = Executors.newVirtualThreadPerTaskExecutor();
    private final MultiThreadIoEventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final PooledByteBufAllocator buffers = new PooledByteBufAllocator(true);
    private final BlockingQueue<Ended> ends = new LinkedBlockingQueue<>();
    private final CompletableFuture<SocketRelay> relay = new CompletableFuture<>();
    private ServerSocket destination;
    private InetSocketAddress captured;

    private record Ended(RelayEnd end, long fromApplication, long toApplication) {}

    private interface Application {
        void serve(Socket socket) throws Exception;
    }

    @BeforeEach
    void start() throws Exception {
        destination = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
        captured = (InetSocketAddress) new ServerBootstrap()
                .group(loop)
                .channel(EpollServerSocketChannel.class)
                .childOption(ChannelOption.AUTO_READ, false)
                .childOption(ChannelOption.ALLOCATOR, buffers)
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        relay(channel);
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel()
                .localAddress();
    }

    private void relay(EpollSocketChannel application) {
        var joined = ApplicationSocket.of(application);
        var dial = new Bootstrap()
                .group(application.eventLoop())
                .channel(EpollSocketChannel.class)
                .option(ChannelOption.AUTO_READ, false)
                .option(ChannelOption.ALLOCATOR, buffers)
                .handler(new ChannelInboundHandlerAdapter())
                .connect(destination.getLocalSocketAddress());
        var _ = dial.addListener((ChannelFutureListener) dialled -> {
            var made = SocketRelay.of(
                    joined,
                    ApplicationSocket.of((EpollSocketChannel) dialled.channel()),
                    (end, from, to) -> ends.add(new Ended(end, from, to)));
            made.start();
            relay.complete(made);
        });
    }

    /// Every buffer came back: what a relay loses, the agent loses for every connection.
    @AfterEach
    void stop() throws Exception {
        destination.close();
        loop.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
        applications.shutdownNow();
        var inUse = buffers.metric().directArenas().stream()
                .mapToLong(arena -> arena.numActiveAllocations())
                .sum();
        assertThat(inUse).as("buffers that nobody released").isZero();
    }

    private CompletableFuture<Void> destinationDoes(Application application) {
        return CompletableFuture.runAsync(
                () -> {
                    try (var socket = destination.accept()) {
                        socket.setSoTimeout(8_000);
                        application.serve(socket);
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                },
                applications);
    }

    private Socket connect() throws IOException {
        var socket = new Socket();
        socket.connect(captured, 8_000);
        socket.setSoTimeout(8_000);
        return socket;
    }

    private Ended end() throws InterruptedException {
        var ended = ends.poll(10, TimeUnit.SECONDS);
        assertThat(ended).as("end of the relay").isNotNull();
        return ended;
    }

    private static byte[] bytes(int count) {
        var bytes = new byte[count];
        new Random(count).nextBytes(bytes);
        return bytes;
    }

    @Test
    void carriesBytesBothWaysAndCountsThem() throws Exception {
        var upload = bytes(3 << 20);
        var download = bytes(5 << 20);
        var served = destinationDoes(socket -> {
            assertThat(socket.getInputStream().readNBytes(upload.length)).isEqualTo(upload);
            socket.getOutputStream().write(download);
        });

        try (var socket = connect()) {
            socket.getOutputStream().write(upload);
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(download);
        }

        served.get(20, TimeUnit.SECONDS);
        assertThat(end()).isEqualTo(new Ended(new RelayEnd.BothFinished(), upload.length, download.length));
    }

    @Test
    void anEndOfInputIsPassedOnAndTheOtherDirectionGoesOn() throws Exception {
        var request = bytes(1 << 20);
        var answer = bytes(2 << 20);
        var served = destinationDoes(socket -> {
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(request);
            socket.getOutputStream().write(answer);
        });

        try (var socket = connect()) {
            socket.getOutputStream().write(request);
            socket.shutdownOutput();
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(answer);
        }

        served.get(20, TimeUnit.SECONDS);
        assertThat(end().end()).isEqualTo(new RelayEnd.BothFinished());
    }

    @Test
    void theServerMaySpeakFirstAndEndFirst() throws Exception {
        var served = destinationDoes(socket -> {
            socket.getOutputStream().write(ANSWER);
            socket.shutdownOutput();
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(ANSWER);
        });

        try (var socket = connect()) {
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(ANSWER);
            socket.getOutputStream().write(ANSWER);
        }

        served.get(20, TimeUnit.SECONDS);
        assertThat(end()).isEqualTo(new Ended(new RelayEnd.BothFinished(), 8, 8));
    }

    @Test
    void aResetOfTheCallerResetsTheServersConnection() throws Exception {
        var arrived = new CompletableFuture<byte[]>();
        var served = destinationDoes(socket -> {
            arrived.complete(socket.getInputStream().readNBytes(8));
            assertThatThrownBy(() -> socket.getInputStream().read())
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("reset");
        });

        var socket = connect();
        socket.getOutputStream().write(ANSWER);
        assertThat(arrived.get(20, TimeUnit.SECONDS)).isEqualTo(ANSWER);
        socket.setSoLinger(true, 0);
        socket.close();

        served.get(20, TimeUnit.SECONDS);
        assertThat(end().end())
                .isInstanceOfSatisfying(
                        RelayEnd.Reset.class, reset -> assertThat(reset.by()).isEqualTo(RelayEnd.Side.APPLICATION));
    }

    @Test
    void aResetOfTheServerResetsTheCallersConnection() throws Exception {
        var served = destinationDoes(socket -> {
            assertThat(socket.getInputStream().readNBytes(8)).isEqualTo(ANSWER);
            socket.setSoLinger(true, 0);
        });

        try (var socket = connect()) {
            socket.getOutputStream().write(ANSWER);
            assertThatThrownBy(() -> socket.getInputStream().read())
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("reset");
        }

        served.get(20, TimeUnit.SECONDS);
        assertThat(end().end())
                .isInstanceOfSatisfying(
                        RelayEnd.Reset.class, reset -> assertThat(reset.by()).isEqualTo(RelayEnd.Side.PEER));
    }

    @Test
    void anAbortResetsBothSidesAndIsReportedOnce() throws Exception {
        var arrived = new CompletableFuture<byte[]>();
        var served = destinationDoes(socket -> {
            arrived.complete(socket.getInputStream().readNBytes(8));
            assertThatThrownBy(() -> socket.getInputStream().read()).hasMessageContaining("reset");
        });

        try (var socket = connect()) {
            socket.getOutputStream().write(ANSWER);
            assertThat(arrived.get(20, TimeUnit.SECONDS)).isEqualTo(ANSWER);
            loop.submit(() -> relay.join().abort("the policy changed")).sync();
            loop.submit(() -> relay.join().abort("again")).sync();
            assertThatThrownBy(() -> socket.getInputStream().read()).hasMessageContaining("reset");
        }

        served.get(20, TimeUnit.SECONDS);
        assertThat(end()).isEqualTo(new Ended(new RelayEnd.Aborted("the policy changed"), 8, 0));
        assertThat(ends).isEmpty();
    }

    /// A reader that stopped stops the writer, too, after what fits into the sockets and our marks: 64 MiB are far more
    /// than that, and arrive whole once the reader goes on.
    @Test
    void aStoppedReaderStopsTheWriterUntilItGoesOn() throws Exception {
        var upload = bytes(64 << 20);
        var goOn = new CompletableFuture<Void>();
        var served = destinationDoes(socket -> {
            goOn.get(30, TimeUnit.SECONDS);
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(upload);
        });
        try (var socket = connect()) {
            var written = CompletableFuture.runAsync(
                    () -> {
                        try {
                            socket.getOutputStream().write(upload);
                            socket.shutdownOutput();
                        } catch (IOException e) {
                            throw new IllegalStateException(e);
                        }
                    },
                    applications);

            var stoodAt = bytesWhenTheyStandStill();
            assertThat(stoodAt).as("bytes taken from the caller").isLessThan(upload.length / 2);
            assertThat(written).isNotDone();

            goOn.complete(null);
            written.get(20, TimeUnit.SECONDS);
            served.get(20, TimeUnit.SECONDS);
        }
        assertThat(end()).isEqualTo(new Ended(new RelayEnd.BothFinished(), upload.length, 0));
    }

    /// Asks the relay on its loop until 20 answers in a row, 5 ms apart, are the same and not zero.
    private long bytesWhenTheyStandStill() throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        long last = 0;
        int same = 0;
        while (same < 20) {
            assertThat(System.nanoTime()).as("waiting for a standstill").isLessThan(deadline);
            long now = loop.schedule(
                            () -> relay.isDone() ? relay.join().bytesFromApplication() : 0, 5, TimeUnit.MILLISECONDS)
                    .get();
            same = now == last && now > 0 ? same + 1 : 0;
            last = now;
        }
        return last;
    }
}
