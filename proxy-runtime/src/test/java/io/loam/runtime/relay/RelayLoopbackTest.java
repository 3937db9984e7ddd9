package io.loam.runtime.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.runtime.tunnel.LoopbackMesh;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A socket, a relay, a tunnel, a relay, a socket: bytes and ends must come out as they went in.
@Timeout(60)
class RelayLoopbackTest {
    /// Hazard T10 asks for 10,000; `-Dloam.test.halfClose=10000` runs them all.
    private static final int HALF_CLOSE_ROUNDS = Integer.getInteger("loam.test.halfClose", 400);

    private static final byte[] ANSWER = "8 bytes!".getBytes(StandardCharsets.US_ASCII);

    private final ExecutorService applications = Executors.newVirtualThreadPerTaskExecutor();
    private LoopbackMesh mesh;
    private ServerSocket destination;
    private InetSocketAddress captured;

    @BeforeEach
    void start() throws Exception {
        mesh = new LoopbackMesh();
        destination = new ServerSocket(0, 4096, InetAddress.getLoopbackAddress());
        captured = mesh.capture((InetSocketAddress) destination.getLocalSocketAddress());
    }

    @AfterEach
    void stop() throws Exception {
        destination.close();
        mesh.close();
        applications.shutdownNow();
    }

    interface Application {
        void serve(Socket socket) throws Exception;
    }

    /// Accepts one connection and serves it.
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

    private static byte[] bytes(int count, long seed) {
        var bytes = new byte[count];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("condition did not come true within 10 s");
            }
            Thread.onSpinWait();
            TimeUnit.MILLISECONDS.sleep(2);
        }
    }

    @Test
    void carriesBytesBothWaysAndEndsInOrder() throws Exception {
        var upload = bytes(3 << 20, 1);
        var download = bytes(5 << 20, 2);
        var served = destinationDoes(socket -> {
            assertThat(socket.getInputStream().readNBytes(upload.length)).isEqualTo(upload);
            socket.getOutputStream().write(download);
            socket.shutdownOutput();
            assertThat(socket.getInputStream().read()).isEqualTo(-1);
        });

        try (var socket = LoopbackMesh.connect(captured)) {
            socket.getOutputStream().write(upload);
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(download);
            socket.shutdownOutput();
        }

        served.get(20, TimeUnit.SECONDS);
        await(() -> mesh.clientEnds.size() == 1 && mesh.serverEnds.size() == 1);
        assertThat(mesh.clientEnds).containsExactly(new RelayEnd.BothFinished());
        assertThat(mesh.serverEnds).containsExactly(new RelayEnd.BothFinished());
    }

    @Test
    void lettingOneDirectionEndLeavesTheOtherOpen() throws Exception {
        var request = bytes(1 << 20, 3);
        var answer = bytes(1 << 20, 4);
        var served = destinationDoes(socket -> {
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(request);
            socket.getOutputStream().write(answer);
        });

        try (var socket = LoopbackMesh.connect(captured)) {
            socket.getOutputStream().write(request);
            socket.shutdownOutput();
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(answer);
        }

        served.get(20, TimeUnit.SECONDS);
        await(() -> mesh.clientEnds.size() == 1 && mesh.serverEnds.size() == 1);
        assertThat(mesh.clientEnds).containsExactly(new RelayEnd.BothFinished());
        assertThat(mesh.serverEnds).containsExactly(new RelayEnd.BothFinished());
    }

    @Test
    void servesProtocolsInWhichTheServerSpeaksFirst() throws Exception {
        var served = destinationDoes(socket -> {
            socket.getOutputStream().write(ANSWER);
            socket.shutdownOutput();
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(ANSWER);
        });

        try (var socket = LoopbackMesh.connect(captured)) {
            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(ANSWER);
            socket.getOutputStream().write(ANSWER);
        }

        served.get(20, TimeUnit.SECONDS);
    }

    /// Hazard T10.
    @Test
    void bulkAndFinThenAShortAnswerAndCloseArriveWhole() throws Exception {
        var bulk = bytes(300_000, 5);
        var served = CompletableFuture.runAsync(
                () -> {
                    for (int i = 0; i < HALF_CLOSE_ROUNDS; i++) {
                        try (var socket = destination.accept()) {
                            assertThat(socket.getInputStream().readAllBytes()).isEqualTo(bulk);
                            socket.getOutputStream().write(ANSWER);
                        } catch (IOException e) {
                            throw new IllegalStateException("round " + i, e);
                        }
                    }
                },
                applications);

        for (int i = 0; i < HALF_CLOSE_ROUNDS; i++) {
            try (var socket = LoopbackMesh.connect(captured)) {
                socket.getOutputStream().write(bulk);
                socket.shutdownOutput();
                assertThat(socket.getInputStream().readAllBytes())
                        .as("round %d", i)
                        .isEqualTo(ANSWER);
            }
        }

        served.get(20, TimeUnit.SECONDS);
        await(() -> mesh.clientEnds.size() == HALF_CLOSE_ROUNDS && mesh.serverEnds.size() == HALF_CLOSE_ROUNDS);
        assertThat(mesh.clientEnds).allMatch(RelayEnd.BothFinished.class::isInstance);
        assertThat(mesh.serverEnds).allMatch(RelayEnd.BothFinished.class::isInstance);
        assertThat(mesh.dials).hasValue(1);
    }

    @Test
    void aResetByTheSourceReachesTheDestination() throws Exception {
        var arrived = new CompletableFuture<byte[]>();
        var served = destinationDoes(socket -> {
            arrived.complete(socket.getInputStream().readNBytes(8));
            assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(IOException.class);
        });

        var socket = LoopbackMesh.connect(captured);
        socket.getOutputStream().write(ANSWER);
        assertThat(arrived.get(20, TimeUnit.SECONDS)).isEqualTo(ANSWER);
        socket.setSoLinger(true, 0);
        socket.close();

        served.get(20, TimeUnit.SECONDS);
        await(() -> mesh.clientEnds.size() == 1 && mesh.serverEnds.size() == 1);
        assertThat(mesh.clientEnds.getFirst())
                .isInstanceOfSatisfying(
                        RelayEnd.Reset.class, end -> assertThat(end.by()).isEqualTo(RelayEnd.Side.APPLICATION));
        assertThat(mesh.serverEnds.getFirst()).isEqualTo(new RelayEnd.Reset(RelayEnd.Side.PEER, "CONNECT_ERROR"));
    }

    @Test
    void aResetByTheDestinationReachesTheSource() throws Exception {
        var served = destinationDoes(socket -> {
            assertThat(socket.getInputStream().readNBytes(8)).isEqualTo(ANSWER);
            socket.setSoLinger(true, 0);
        });

        try (var socket = LoopbackMesh.connect(captured)) {
            socket.getOutputStream().write(ANSWER);
            assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(IOException.class);
        }
        served.get(20, TimeUnit.SECONDS);
    }

    /// Hazard T2, scaled: resets after the answer are free.
    @Test
    void manyConnectionsThatEndByResetLeaveTheTunnelAlone() throws Exception {
        int count = 1000;
        var served = CompletableFuture.runAsync(
                () -> {
                    for (int i = 0; i < count; i++) {
                        try {
                            var socket = destination.accept();
                            socket.getOutputStream().write(1);
                            applications.execute(() -> {
                                try (socket) {
                                    socket.getInputStream().read();
                                } catch (IOException expected) {
                                    // the reset this test is about
                                    assertThat(expected).hasMessageContaining("reset");
                                }
                            });
                        } catch (IOException e) {
                            throw new IllegalStateException(e);
                        }
                    }
                },
                applications);

        for (int i = 0; i < count; i++) {
            var socket = LoopbackMesh.connect(captured);
            assertThat(socket.getInputStream().read()).isEqualTo(1);
            socket.setSoLinger(true, 0);
            socket.close();
        }

        served.get(20, TimeUnit.SECONDS);
        assertThat(mesh.failures).isEmpty();
        assertThat(mesh.dials).hasValue(1);
    }

    /// Hazard T7 in small: the stopped reader holds its own window, not the tunnel's.
    @Test
    void aStoppedReaderDoesNotStopTheOthers() throws Exception {
        var stopped = destination;
        try (var running = new ServerSocket(0, 16, InetAddress.getLoopbackAddress())) {
            var toRunning = mesh.capture((InetSocketAddress) running.getLocalSocketAddress());
            var writer = LoopbackMesh.connect(captured);
            var accepted = stopped.accept(); // and never read
            var blocked = CompletableFuture.runAsync(
                    () -> {
                        var chunk = new byte[64 << 10];
                        try {
                            while (true) {
                                writer.getOutputStream().write(chunk);
                            }
                        } catch (IOException e) {
                            // ends when the test closes the socket
                        }
                    },
                    applications);
            var bulk = bytes(32 << 20, 6);
            var read = CompletableFuture.supplyAsync(
                    () -> {
                        try (var socket = running.accept()) {
                            return socket.getInputStream().readAllBytes();
                        } catch (IOException e) {
                            throw new IllegalStateException(e);
                        }
                    },
                    applications);

            try (var socket = LoopbackMesh.connect(toRunning)) {
                socket.getOutputStream().write(bulk);
            }

            assertThat(read.get(20, TimeUnit.SECONDS)).isEqualTo(bulk);
            assertThat(blocked).isNotDone();
            assertThat(mesh.dials).hasValue(1);
            accepted.close();
            writer.close();
            blocked.get(20, TimeUnit.SECONDS);
        }
    }
}
