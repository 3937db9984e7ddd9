package io.loam.protocol.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.protocol.linux.SeqPacketSocket.Received;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SeqPacketSocketTest {
    private static final Duration SOON = Duration.ofSeconds(5);

    @TempDir
    private Path folder = Path.of("");

    private SeqPacketServer server;
    private SeqPacketSocket near;
    private SeqPacketSocket far;

    @BeforeEach
    void connect() throws IOException {
        server = SeqPacketServer.listen(folder.resolve("missing/test.sock"));
        near = SeqPacketSocket.connect(server.path());
        far = Objects.requireNonNull(server.accept(SOON));
    }

    @AfterEach
    void close() {
        near.close();
        far.close();
        server.close();
    }

    @Test
    void keepsTheBoundsOfMessages() throws Exception {
        near.send(new byte[] {1, 2, 3}, List.of(), SOON);
        near.send(new byte[] {4}, List.of(), SOON);

        assertThat(message(1024).bytes()).containsExactly(1, 2, 3);
        assertThat(message(1024).bytes()).containsExactly(4);
    }

    @Test
    void passesAnOpenFileWithItsMessage() throws Exception {
        var file = Files.writeString(folder.resolve("passed"), "x");
        try (var passed = FileDescriptor.open(file)) {
            near.send(new byte[] {7}, List.of(passed), SOON);

            var message = message(1024);
            try (var received = message.descriptors().getFirst()) {
                assertThat(message.bytes()).containsExactly(7);
                assertThat(message.descriptors()).hasSize(1);
                assertThat(received.inode()).isEqualTo(passed.inode());
                assertThat(received.number()).isNotEqualTo(passed.number());
            }
        }
    }

    @Test
    void tellsSilenceFromTheEnd() throws Exception {
        assertThat(far.receive(16, Duration.ofMillis(10))).isEqualTo(Received.Nothing.INSTANCE);

        near.close();

        assertThat(far.receive(16, SOON)).isEqualTo(Received.End.INSTANCE);
    }

    /// And keeps nothing of it: a descriptor that came along is closed.
    @Test
    void refusesMessagesThatAreTooLong() throws Exception {
        var file = Files.writeString(folder.resolve("passed"), "x");
        try (var passed = FileDescriptor.open(file)) {
            var inode = passed.inode();
            near.send(new byte[17], List.of(passed), SOON);
            assertThatThrownBy(() -> far.receive(16, SOON))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("16");

            try (var files = Files.list(Path.of("/proc/self/fd"))) {
                assertThat(files.filter(fd -> isInode(fd, inode))).hasSize(1);
            }
        }
    }

    /// A reader on another thread must not wait for its time-out when the socket is closed.
    @Test
    void closingWakesWhoeverReceives() throws Exception {
        var outcome = new CompletableFuture<Object>();
        var reader = Thread.ofPlatform().start(() -> {
            try {
                outcome.complete(far.receive(16, Duration.ofSeconds(60)));
            } catch (IOException e) {
                outcome.complete(e);
            }
        });
        while (reader.getState() != Thread.State.RUNNABLE) {
            Thread.onSpinWait();
        }

        far.close();

        assertThat(outcome.get(5, TimeUnit.SECONDS)).isNotInstanceOf(Received.Message.class);
    }

    @Test
    void sendingToNobodyFails() {
        far.close();

        assertThatThrownBy(() -> near.send(new byte[] {1}, List.of(), SOON))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("sendmsg: Broken pipe (errno 32)");
    }

    @Test
    void sendingToSomebodyWhoDoesNotReadEndsAtItsDeadline() {
        assertThatThrownBy(() -> {
                    for (int i = 0; i < 100_000; i++) {
                        near.send(new byte[1024], List.of(), Duration.ofMillis(50));
                    }
                })
                .isInstanceOf(IOException.class)
                .hasMessageContaining("not taken within");
    }

    @Test
    void onlyRootMayConnectAndNothingStaysBehind() throws Exception {
        var path = server.path();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                .isEqualTo("rw-------");

        server.close();

        assertThat(path).doesNotExist();
        assertThatThrownBy(() -> SeqPacketSocket.connect(path))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Libc.ENOENT));
    }

    @Test
    void replacesTheSocketOfAKilledPredecessor() throws Exception {
        try (var successor = SeqPacketServer.listen(server.path());
                var client = SeqPacketSocket.connect(successor.path())) {
            assertThat(successor.accept(SOON)).isNotNull().satisfies(SeqPacketSocket::close);
            assertThat(client).isNotNull();
        }
    }

    @Test
    void namesThePathThatIsTooLong() {
        assertThatThrownBy(() -> SeqPacketSocket.connect(Path.of("/" + "x".repeat(200))))
                .hasMessageContaining("201 bytes");
    }

    @Test
    void raisesTheLimitOfOpenFiles() throws Exception {
        assertThat(ResourceLimits.raiseOpenFiles()).isGreaterThanOrEqualTo(1024);
    }

    private Received.Message message(int maxBytes) throws IOException {
        return (Received.Message) far.receive(maxBytes, SOON);
    }

    private static boolean isInode(Path descriptor, long inode) {
        try {
            return (long) Files.getAttribute(descriptor, "unix:ino") == inode;
        } catch (IOException _) { // the listing's own descriptor
            return false;
        }
    }
}
