package io.loam.it.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.cni.zds.ZdsServer;
import io.loam.it.bench.MeshBench;
import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.SeqPacketSocket;
import io.loam.protocol.zds.HeldListeners;
import io.loam.protocol.zds.ZdsProxySession;
import io.loam.protocol.zds.ZdsProxySession.Incoming;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The privileged half as the store of listeners and of sockets for datagrams, over real sockets in real
/// namespaces. Stand-ins play the node proxies; the pod's namespace is that of the test bench.
class KeptListenersNetnsIT {
    private static final Duration SOON = Duration.ofSeconds(10);
    private static final Add ADD = new Add("u1", new WorkloadInfo("cart-1", "shop", "cart"));
    private static final int PORT = 15001;
    private static final int DNS_PORT = 15053;
    private static final InetAddress LOOPBACK = InetAddress.ofLiteral("127.0.0.1");

    @TempDir
    private Path folder = Path.of("");

    private PodBench bench;
    private ZdsServer zds;
    private long inodeKept;

    @BeforeEach
    void start() throws Exception {
        Epoll.ensureAvailability();
        bench = new PodBench();
        zds = ZdsServer.listen(folder.resolve("zds.sock"), new ZdsServer.Observer() {
            @Override
            public void answered(String uid, String error) {}

            @Override
            public void connected() {}
        });
    }

    @AfterEach
    void stop() {
        zds.close();
        bench.close();
    }

    /// Hazard P4: between two proxies the kernel takes connections, and the second one finds them.
    @Test
    void aConnectionMadeWhileNoProxyLivesIsServedByTheNextOne() throws Exception {
        long inode;
        try (var first = new Proxy()) {
            var _ = zds.add(ADD, podNetns());
            try (var held = first.nextAdd();
                    var own = listener(PORT)) {
                assertThat(held.isEmpty()).isTrue();
                first.session.handOver(own);
                inode = own.inodes().iterator().next();
            }
            awaitKept(inode);
        }

        try (var client = bench.inPod(() -> new java.net.Socket(LOOPBACK, PORT));
                var second = new Proxy();
                var held = second.nextAdd()) {
            assertThat(client.isConnected()).isTrue();
            assertThat(held.inodes()).containsExactly(inode);
            var listening = new Socket(held.on(PORT).getFirst().number());
            new Socket(listening.accept(new byte[26])).close(); // a negative one, for nobody there, is refused
            second.session.ack();
        }
    }

    /// The same for queries for names.
    @Test
    void aDatagramSentWhileNoProxyLivesIsReadByTheNextOne() throws Exception {
        try (var first = new Proxy()) {
            var _ = zds.add(ADD, podNetns());
            try (var _ = first.nextAdd();
                    var own = datagrams()) {
                first.session.handOver(own);
                inodeKept = own.inodes().iterator().next();
            }
            awaitKept(inodeKept);
        }

        try (var client = bench.inPod(() -> new DatagramSocket())) {
            client.send(new DatagramPacket(new byte[] {7}, 1, LOOPBACK, DNS_PORT));
        }
        try (var second = new Proxy();
                var held = second.nextAdd()) {
            assertThat(held.datagramsKept()).isTrue();
            assertThat(held.inodes()).containsExactly(inodeKept);
            var queue = new Socket(held.datagramsOn(DNS_PORT).getFirst().number());
            assertThat(queue.recvFrom(ByteBuffer.allocateDirect(10), 0, 10)).isNotNull();
            second.session.ack();
        }
    }

    /// A node proxy from before there were any, or Istio's: what it does not read from must not take queries.
    @ParameterizedTest
    @ValueSource(strings = {"0801c83e01", "0801"})
    void socketsThatTheNextProxyDoesNotKnowAreClosed(String hello) throws Exception {
        try (var first = new Proxy()) {
            var _ = zds.add(ADD, podNetns());
            try (var _ = first.nextAdd();
                    var own = datagrams()) {
                first.session.handOver(own);
                inodeKept = own.inodes().iterator().next();
            }
            awaitKept(inodeKept);
        }

        try (var other = SeqPacketSocket.connect(folder.resolve("zds.sock"))) {
            other.send(HexFormat.of().parseHex(hello), List.of(), SOON);
            var add = (SeqPacketSocket.Received.Message) other.receive(1024, SOON);
            add.descriptors().forEach(FileDescriptor::close);
            assertThat(add.descriptors()).hasSize(1);
            other.send(HexFormat.of().parseHex("0a00"), List.of(), SOON);

            MeshBench.await("what was kept to be closed", () -> !isOpenHere(inodeKept));
        }
    }

    @Test
    void whatIsKeptIsClosedWhenThePodLeaves() throws Exception {
        try (var proxy = new Proxy()) {
            proxy.awaitSnapshot();
            var _ = zds.add(ADD, podNetns());
            handOverTo(proxy);

            var _ = zds.del("u1");
            assertThat(proxy.session.receive(SOON)).isEqualTo(new Incoming.Del("u1"));
            proxy.session.ack();

            awaitNobodyListens();
        }
    }

    /// What a proxy replaces is closed: kept beside its successor it would swallow connections
    /// (SO_REUSEPORT).
    @Test
    void whatAProxyHandsOverReplacesWhatWasKept() throws Exception {
        try (var first = new Proxy()) {
            var _ = zds.add(ADD, podNetns());
            long former = handOverTo(first);
            try (var second = new Proxy();
                    var held = second.nextAdd()) {
                assertThat(held.inodes()).containsExactly(former);
                long latter;
                try (var own = listener(15006)) {
                    second.session.handOver(own);
                    latter = own.inodes().iterator().next();
                }
                awaitKept(latter);
            }
            awaitNobodyListens();
        }
    }

    /// A pod that was restarted under its old UID: its former listeners belong to a namespace that is not
    /// its own.
    @Test
    void listenersOfAFormerNamespaceAreNotOffered() throws Exception {
        try (var proxy = new Proxy()) {
            var _ = zds.add(ADD, podNetns());
            handOverTo(proxy);

            var _ = zds.add(ADD, Netns.open(bench.neighbourPath()));

            try (var held = proxy.nextAdd()) {
                assertThat(held.isEmpty()).isTrue();
            }
            awaitNobodyListens();
        }
    }

    @Test
    void aSocketForDatagramsOnAnotherPortThanItSaysEndsTheSession() throws Exception {
        try (var proxy = new Proxy()) {
            proxy.awaitSnapshot();
            var answer = zds.add(ADD, podNetns());
            try (var _ = proxy.nextAdd();
                    var lying = bench.inPod(() -> datagrams(DNS_PORT, 8053))) {
                proxy.session.handOver(lying);
            }
            assertEnded(proxy, answer, "listens on port 8053");
        }
    }

    @Test
    void aListenerThatIsSaidToBeForDatagramsEndsTheSession() throws Exception {
        try (var proxy = new Proxy()) {
            proxy.awaitSnapshot();
            var answer = zds.add(ADD, podNetns());
            try (var _ = proxy.nextAdd();
                    var lying = listener(DNS_PORT);
                    var said = new HeldListeners()) {
                said.addDatagrams(
                        DNS_PORT,
                        FileDescriptor.duplicate(lying.on(DNS_PORT).getFirst().number()));
                proxy.session.handOver(said);
            }
            assertEnded(proxy, answer, "not a UDP socket");
        }
    }

    /// Hazards I12 and I13: another pod's socket under this pod's name would lend it this pod's identity.
    @Test
    void aListenerOfAnotherNamespaceEndsTheSessionOfWhoHandsItOver() throws Exception {
        try (var proxy = new Proxy()) {
            proxy.awaitSnapshot();
            var answer = zds.add(ADD, podNetns());
            try (var _ = proxy.nextAdd();
                    var foreign = bench.inNeighbour(() -> listener(PORT, PORT))) {
                proxy.session.handOver(foreign);
            }
            assertEnded(proxy, answer, "belongs to network namespace");
        }
    }

    @Test
    void aListenerOnAnotherPortThanItSaysEndsTheSession() throws Exception {
        try (var proxy = new Proxy()) {
            proxy.awaitSnapshot();
            var answer = zds.add(ADD, podNetns());
            try (var _ = proxy.nextAdd();
                    var lying = bench.inPod(() -> listener(PORT, 8080))) {
                proxy.session.handOver(lying);
            }
            assertEnded(proxy, answer, "listens on port 8080");
            awaitNobodyListens(8080);
        }
    }

    @Test
    void aDescriptorThatIsNoSocketEndsTheSession() throws Exception {
        try (var proxy = new Proxy()) {
            proxy.awaitSnapshot();
            var answer = zds.add(ADD, podNetns());
            try (var _ = proxy.nextAdd();
                    var file = new HeldListeners()) {
                file.add(PORT, FileDescriptor.open(Path.of("/proc/self/status")));
                proxy.session.handOver(file);
            }
            assertEnded(proxy, answer, "getsockopt");
        }
    }

    private static void assertEnded(Proxy proxy, CompletableFuture<Void> answer, String reason) {
        assertThatThrownBy(() -> answer.get(10, TimeUnit.SECONDS)).hasMessageContaining(reason);
        assertThatThrownBy(() -> proxy.session.receive(SOON)).hasMessageContaining("closed");
    }

    /// @return the inode of what is kept now
    private long handOverTo(Proxy proxy) throws Exception {
        long inode;
        try (var _ = proxy.nextAdd();
                var own = bench.inPod(() -> listener(PORT, PORT))) {
            proxy.session.handOver(own);
            inode = own.inodes().iterator().next();
        }
        awaitKept(inode);
        return inode;
    }

    private HeldListeners listener(int port) throws Exception {
        return bench.inPod(() -> listener(port, port));
    }

    private static HeldListeners listener(int said, int real) throws IOException {
        var socket = Socket.newSocketStream();
        try {
            socket.bind(new InetSocketAddress(InetAddress.getByAddress(new byte[4]), real));
            socket.listen(16);
            var listeners = new HeldListeners();
            listeners.add(said, FileDescriptor.duplicate(socket.intValue()));
            return listeners;
        } finally {
            socket.close();
        }
    }

    private HeldListeners datagrams() throws Exception {
        return bench.inPod(() -> datagrams(DNS_PORT, DNS_PORT));
    }

    private static HeldListeners datagrams(int said, int real) throws IOException {
        var socket = Socket.newSocketDgram();
        try {
            socket.bind(new InetSocketAddress(LOOPBACK, real));
            var sockets = new HeldListeners();
            sockets.addDatagrams(said, FileDescriptor.duplicate(socket.intValue()));
            return sockets;
        } finally {
            socket.close();
        }
    }

    /// The store, in this process, answers nothing to an ack. To be called when nobody else here has the
    /// socket open.
    private static void awaitKept(long inode) throws Exception {
        MeshBench.await("the store to have the listener", () -> isOpenHere(inode));
    }

    private static boolean isOpenHere(long inode) throws IOException {
        try (var files = Files.list(Path.of("/proc/self/fd"))) {
            return files.anyMatch(file -> isSocket(file, inode));
        }
    }

    private static boolean isSocket(Path file, long inode) {
        try {
            return Files.readSymbolicLink(file).toString().equals("socket:[" + inode + "]");
        } catch (IOException _) { // closed since it was listed
            return false;
        }
    }

    private void awaitNobodyListens() throws Exception {
        awaitNobodyListens(PORT);
    }

    /// The store has the new descriptors a moment before it closes the old ones.
    private void awaitNobodyListens(int port) throws Exception {
        MeshBench.await("port " + port + " to be closed", () -> {
            try {
                bench.inPod(() -> new java.net.Socket(LOOPBACK, port)).close();
                return false;
            } catch (ExecutionException e) {
                assertThat(e).rootCause().hasMessageContaining("refused");
                return true;
            }
        });
    }

    private Netns podNetns() throws IOException {
        return Netns.open(bench.podPath());
    }

    private final class Proxy implements AutoCloseable {
        final ZdsProxySession session;

        Proxy() throws IOException {
            session = ZdsProxySession.connect(folder.resolve("zds.sock"));
        }

        void awaitSnapshot() throws IOException {
            assertThat(session.receive(SOON)).isEqualTo(new Incoming.SnapshotSent());
            session.ack();
        }

        /// What is kept, with the next Add, which is still to be answered.
        HeldListeners nextAdd() throws IOException {
            while (true) {
                switch (session.receive(SOON)) {
                    case Incoming.Add(var _, var _, var netns, var held) -> {
                        netns.close();
                        return Objects.requireNonNull(held);
                    }
                    case Incoming.SnapshotSent() -> session.ack();
                    case Incoming other -> throw new IOException("unexpected: " + other);
                }
            }
        }

        @Override
        public void close() {
            session.close();
        }
    }
}
