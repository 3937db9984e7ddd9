package io.loam.runtime.relay;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.protocol.linux.SocketOptions;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Sockets that said FIN, on real epoll: what Netty's epoll transport does with them is what
/// {@link io.netty.channel.epoll.StayingRegistered} is about.
@Timeout(120)
final class HalfClosedLoopbackTest {
    /// Hazard T9 asks for 10,000; `-Dloam.test.finThenReset=10000` runs them all.
    private static final int ROUNDS = Integer.getInteger("loam.test.finThenReset", 1000);

    private static final int AT_ONCE = 8;

    /// Of the relay's socket to the caller, so that little is needed to make bytes wait.
    private static final int SEND_BUFFER_BYTES = 16 << 10;

    private static final Duration BASELINE = Duration.ofSeconds(5);
    private static final Duration STEP = Duration.ofSeconds(20);
    private static final Duration CPU_WINDOW = Duration.ofSeconds(1);
    private static final double IDLE_CPU = 0.02;

    private final ExecutorService applications = Executors.newVirtualThreadPerTaskExecutor();
    private final MultiThreadIoEventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final BlockingQueue<RelayEnd> ends = new LinkedBlockingQueue<>();

    /// The relay's socket to each caller, by the caller's port.
    private final Map<Integer, Channel> towardsCaller = new ConcurrentHashMap<>();

    /// Both sockets of every relay that are not closed.
    private final Map<Channel, Boolean> open = new ConcurrentHashMap<>();

    /// The destination's sockets that were read to their end, by the caller's port.
    private final Map<Integer, CompletableFuture<Socket>> ended = new ConcurrentHashMap<>();

    private ServerSocket destination;
    private InetSocketAddress captured;

    @BeforeEach
    void start() throws Exception {
        destination = new ServerSocket(0, 1024, InetAddress.getLoopbackAddress());
        applications.execute(this::accept);
        captured = (InetSocketAddress) new ServerBootstrap()
                .group(loop)
                .channel(EpollServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, 1024)
                .childOption(ChannelOption.AUTO_READ, false)
                .childOption(ChannelOption.SO_SNDBUF, SEND_BUFFER_BYTES)
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        towardsCaller.put(channel.remoteAddress().getPort(), channel);
                        relay(channel);
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel()
                .localAddress();
    }

    @AfterEach
    void stop() throws Exception {
        destination.close();
        loop.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
        applications.shutdownNow();
    }

    private void relay(EpollSocketChannel application) {
        watch(application);
        var joined = ApplicationSocket.of(application);
        var dial = new Bootstrap()
                .group(application.eventLoop())
                .channel(EpollSocketChannel.class)
                .option(ChannelOption.AUTO_READ, false)
                .handler(new ChannelInboundHandlerAdapter())
                .connect(destination.getLocalSocketAddress());
        var _ = dial.addListener((ChannelFutureListener) dialled -> {
            watch(dialled.channel());
            var made = SocketRelay.of(
                    joined, ApplicationSocket.of((EpollSocketChannel) dialled.channel()), (end, _, _) -> ends.add(end));
            made.start();
        });
    }

    private void watch(Channel channel) {
        open.put(channel, true);
        var _ = channel.closeFuture().addListener(_ -> open.remove(channel));
    }

    /// Each connection begins with the caller's port, reads to the end, and is handed over then.
    private void accept() {
        try {
            while (true) {
                var socket = destination.accept();
                applications.execute(() -> {
                    try {
                        var in = new DataInputStream(socket.getInputStream());
                        int port = in.readInt();
                        in.transferTo(OutputStream.nullOutputStream());
                        ended(port).complete(socket);
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                });
            }
        } catch (IOException _) { // closed
        }
    }

    private CompletableFuture<Socket> ended(int port) {
        return ended.computeIfAbsent(port, _ -> new CompletableFuture<>());
    }

    private record HalfClosed(Socket caller, Socket atDestination, Channel towardsCaller) {}

    /// A connection whose caller sent FIN, and whose destination knows.
    private HalfClosed halfClosed() throws Exception {
        var caller = new Socket();
        caller.connect(captured, (int) STEP.toMillis());
        caller.setSoTimeout((int) STEP.toMillis());
        int port = caller.getLocalPort();
        new DataOutputStream(caller.getOutputStream()).writeInt(port);
        caller.shutdownOutput();
        var socket = ended(port).get(STEP.toMillis(), TimeUnit.MILLISECONDS);
        ended.remove(port);
        return new HalfClosed(caller, socket, Objects.requireNonNull(towardsCaller.remove(port)));
    }

    /// Hazard T9.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aCallerThatEndsItsDirectionAndThenResetsIsLetGoAtOnce(boolean bytesPending) throws Exception {
        finThenReset(bytesPending); // classes, buffers and threads
        assertThat(ends.take()).isInstanceOf(RelayEnd.Reset.class);
        await("no channel open", BASELINE, open::isEmpty);
        long before = descriptors();

        var workers = new ArrayList<CompletableFuture<Void>>();
        for (int worker = 0; worker < AT_ONCE; worker++) {
            workers.add(CompletableFuture.runAsync(
                    () -> {
                        for (int round = 0; round < ROUNDS / AT_ONCE; round++) {
                            try {
                                finThenReset(bytesPending);
                            } catch (Exception e) {
                                throw new IllegalStateException("round " + round, e);
                            }
                        }
                    },
                    applications));
        }
        for (var worker : workers) {
            worker.get();
        }

        int rounds = ROUNDS / AT_ONCE * AT_ONCE;
        await("an end of each relay", BASELINE, () -> ends.size() == rounds);
        assertThat(ends)
                .allSatisfy(end -> assertThat(end)
                        .isInstanceOfSatisfying(
                                RelayEnd.Reset.class,
                                reset -> assertThat(reset.by()).isEqualTo(RelayEnd.Side.APPLICATION)));
        await("no channel open", BASELINE, open::isEmpty);
        await("descriptors at " + before, BASELINE, () -> descriptors() <= before);
        double busy = busy();
        System.out.printf(
                "hazard T9: %d connections half-closed, then reset%s: descriptors and channels at baseline, loop busy for"
                        + " %.1f %% of a core%n",
                rounds, bytesPending ? " with bytes pending" : "", 100 * busy);
        assertThat(busy).as("share of a core of an event loop without sockets").isLessThanOrEqualTo(IDLE_CPU);
    }

    private void finThenReset(boolean bytesPending) throws Exception {
        var connection = halfClosed();
        try (var socket = connection.atDestination) {
            if (bytesPending) {
                applications.execute(() -> writeUntilItFails(socket));
                await("bytes that wait for the caller", STEP, () -> !connection.towardsCaller.isWritable());
            }
            reset(connection.caller);
            // Without bytes nobody writes, so that nothing but the RST itself tells of it.
            assertThat(connection.towardsCaller.closeFuture().await(STEP.toMillis()))
                    .as("the relay's socket closed")
                    .isTrue();
        }
    }

    private static void reset(Socket socket) throws IOException {
        socket.setSoLinger(true, 0); // so that close sends RST
        socket.close();
    }

    private static void writeUntilItFails(Socket socket) {
        var block = new byte[64 << 10];
        try {
            while (true) {
                socket.getOutputStream().write(block);
            }
        } catch (IOException _) { // that is what we wait for
        }
    }

    /// The reset reaches the other end: who writes there is told.
    @Test
    void theDestinationHearsOfTheReset() throws Exception {
        var connection = halfClosed();
        try (var socket = connection.atDestination) {
            reset(connection.caller);

            var written = CompletableFuture.runAsync(() -> writeUntilItFails(socket), applications);

            written.get(STEP.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    /// A socket that wants no event any more is taken out of the epoll set by Netty; one that then cannot write all
    /// at once must still be told when it can.
    @Test
    void whatComesAfterTheEndOfInputArrivesThroughAFullSocket() throws Exception {
        int bytes = 1 << 20;
        for (int round = 0; round < 5; round++) {
            var connection = halfClosed();
            try (var caller = connection.caller;
                    var socket = connection.atDestination) {
                var written = CompletableFuture.runAsync(
                        () -> {
                            try (socket) {
                                socket.getOutputStream().write(new byte[bytes]);
                            } catch (IOException e) {
                                throw new IllegalStateException(e);
                            }
                        },
                        applications);
                await("a full socket", STEP, () -> !connection.towardsCaller.isWritable());

                assertThat(countToEnd(caller.getInputStream())).isEqualTo(bytes);

                written.get(STEP.toMillis(), TimeUnit.MILLISECONDS);
                assertThat(ends.poll(STEP.toMillis(), TimeUnit.MILLISECONDS)).isEqualTo(new RelayEnd.BothFinished());
            }
        }
    }

    /// Fast path, rule 11: a FIN is a lasting condition of the socket, but an event only once.
    /// Hazard T10: the kernel must not forget the translation of a connection whose other direction is silent.
    @Test
    void bothSocketsOfAHalfClosedConnectionAreProbed() throws Exception {
        var connection = halfClosed();
        try (var caller = connection.caller();
                var _ = connection.atDestination()) {
            assertThat(caller.isConnected()).isTrue();
            assertThat(open).hasSize(2);
            for (var socket : open.keySet()) {
                await(
                        "probes on " + socket,
                        STEP,
                        () -> Integer.valueOf(20).equals(socket.config().getOption(SocketOptions.KEEP_IDLE_SECONDS)));
                assertThat(socket.config().getOption(SocketOptions.KEEP_ALIVE)).isOne();
                assertThat(socket.config().getOption(SocketOptions.KEEP_INTERVAL_SECONDS))
                        .isEqualTo(20);
            }
        }
    }

    @Test
    void halfClosedConnectionsThatAreSilentCostNothing() throws Exception {
        var connections = new ArrayList<HalfClosed>();
        for (int i = 0; i < 100; i++) {
            connections.add(halfClosed());
        }

        assertThat(busy()).as("share of a core for 100 half-closed connections").isLessThanOrEqualTo(IDLE_CPU);

        for (var connection : connections) {
            connection.atDestination.close();
            assertThat(countToEnd(connection.caller.getInputStream())).isZero();
            connection.caller.close();
        }
        await("no channel open", BASELINE, open::isEmpty);
        assertThat(List.copyOf(ends)).hasSize(connections.size()).containsOnly(new RelayEnd.BothFinished());
    }

    private static int countToEnd(InputStream in) throws IOException {
        var block = new byte[64 << 10];
        int count = 0;
        try {
            for (int read = in.read(block); read >= 0; read = in.read(block)) {
                count += read;
            }
        } catch (SocketException e) {
            throw new AssertionError("reset after " + count + " bytes", e);
        }
        return count;
    }

    /// How much of a core the event loop takes while nothing happens.
    private double busy() throws Exception {
        var threads = ManagementFactory.getThreadMXBean();
        long id = loop.next().submit(() -> Thread.currentThread().threadId()).get();
        long cpu = threads.getThreadCpuTime(id);
        long started = System.nanoTime();
        LockSupport.parkNanos(CPU_WINDOW.toNanos()); // what is looked at is this stretch of time
        return (double) (threads.getThreadCpuTime(id) - cpu) / (System.nanoTime() - started);
    }

    private static long descriptors() {
        try (var files = Files.list(Path.of("/proc/self/fd"))) {
            return files.count();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void await(String what, Duration atMost, BooleanSupplier condition) {
        long deadline = System.nanoTime() + atMost.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - deadline)
                    .as("%s within %s", what, atMost)
                    .isNegative();
            LockSupport.parkNanos(200_000);
        }
    }
}
