package io.loam.protocol.zds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.SeqPacketServer;
import io.loam.protocol.linux.SeqPacketSocket;
import io.loam.protocol.zds.HeldListeners.ListenerGroup;
import io.loam.protocol.zds.HeldListeners.ListenerGroups;
import io.loam.protocol.zds.ZdsAgentSession.AddAnswer;
import io.loam.protocol.zds.ZdsCodec.HandOver;
import io.loam.protocol.zds.ZdsProxySession.Incoming;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.Del;
import io.loam.protocol.zds.ZdsRequest.Keep;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Wire reference, 6.4.
class ZdsSessionTest {
    private static final Duration SOON = Duration.ofSeconds(5);
    private static final Add ADD = new Add("u1", new WorkloadInfo("cart-1", "shop", "cart"));

    @TempDir
    private Path folder = Path.of("");

    private final ExecutorService agentThread =
            Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().factory());
    private SeqPacketServer server;

    @BeforeEach
    void listen() throws IOException {
        server = SeqPacketServer.listen(folder.resolve("zds.sock"));
    }

    @AfterEach
    void close() {
        agentThread.shutdownNow();
        server.close();
    }

    @Test
    void oneRequestAtATime() throws Exception {
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = accepted();
                var netns = FileDescriptor.open(Path.of("/proc/self/ns/net"))) {
            agent.awaitHello();

            var added = submit(() -> agent.add(ADD, netns, new HeldListeners()));
            var incoming = (Incoming.Add) proxy.receive(SOON);
            try (var received = incoming.netns()) {
                assertThat(received.inode()).isEqualTo(netns.inode());
            }
            assertThat(incoming.uid()).isEqualTo("u1");
            assertThat(incoming.workload()).isEqualTo(ADD.workload());
            assertThat(incoming.held())
                    .isNotNull()
                    .satisfies(held -> assertThat(held.isEmpty()).isTrue());
            proxy.ack();
            assertThat(added.get(5, TimeUnit.SECONDS)).isEqualTo(new AddAnswer("", null));

            var kept = submit(() -> agent.keep(new Keep("u2")));
            assertThat(proxy.receive(SOON)).isEqualTo(new Incoming.Keep("u2"));
            proxy.refuse("unknown");
            assertThat(kept.get(5, TimeUnit.SECONDS)).isEqualTo("unknown");

            var snapshot = submit(agent::snapshotSent);
            assertThat(proxy.receive(SOON)).isEqualTo(new Incoming.SnapshotSent());
            proxy.ack();
            assertThat(snapshot.get(5, TimeUnit.SECONDS)).isEmpty();

            var deleted = submit(() -> agent.del(new Del("u1")));
            assertThat(proxy.receive(SOON)).isEqualTo(new Incoming.Del("u1"));
            proxy.ack();
            assertThat(deleted.get(5, TimeUnit.SECONDS)).isEmpty();

            agent.requireSilence();
        }
    }

    /// Our addition: listeners travel with an Add and with its answer, in the order of their groups.
    @Test
    void listenersTravelBothWays() throws Exception {
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = accepted();
                var netns = FileDescriptor.open(Path.of("/proc/self/ns/net"));
                var kept = files(15001, "a", 15008, "b", 15008, "c");
                var own = files(15006, "d")) {
            agent.awaitHello();
            assertThat(agent.handOver()).isEqualTo(HandOver.ALL);
            assertThat(agent.peerPid()).isEqualTo(ProcessHandle.current().pid());

            var added = submit(() -> agent.add(ADD, netns, kept));
            var incoming = (Incoming.Add) proxy.receive(SOON);
            try (var _ = incoming.netns();
                    var held = Objects.requireNonNull(incoming.held())) {
                assertThat(held.ports()).containsOnly(15001, 15008);
                assertThat(held.inodes()).isEqualTo(kept.inodes());
            }
            proxy.handOver(own);
            try (var listeners =
                    Objects.requireNonNull(added.get(5, TimeUnit.SECONDS).listeners())) {
                assertThat(listeners.ports()).containsOnly(15006);
                assertThat(listeners.inodes()).isEqualTo(own.inodes());
            }
        }
    }

    /// Istio's node proxy, which says nothing of listeners, must get an Add with one descriptor.
    @Test
    void aProxyThatKnowsNothingOfListenersIsToldNothingOfThem() throws Exception {
        try (var proxy = SeqPacketSocket.connect(server.path());
                var agent = accepted();
                var netns = FileDescriptor.open(Path.of("/proc/self/ns/net"));
                var kept = files(15001, "a")) {
            proxy.send(new byte[] {8, 1}, List.of(), SOON);
            agent.awaitHello();
            assertThat(agent.handOver()).isEqualTo(HandOver.NOTHING);

            var added = submit(() -> agent.add(ADD, netns, kept));
            var message = (SeqPacketSocket.Received.Message) proxy.receive(1024, SOON);
            message.descriptors().forEach(FileDescriptor::close);
            assertThat(message.descriptors()).hasSize(1);
            assertThat(ZdsCodec.decodeRequest(message.bytes())).isEqualTo(ADD);

            proxy.send(ZdsCodec.ack(groups(new ListenerGroup(15001, 1))), List.of(netns), SOON);
            assertThatThrownBy(() -> added.get(5, TimeUnit.SECONDS))
                    .rootCause()
                    .isInstanceOf(ZdsProtocolException.class)
                    .hasMessageContaining("nobody asked for");
        }
    }

    @Test
    void socketsForDatagramsTravelBesideListenersOfTheSamePort() throws Exception {
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = accepted();
                var netns = FileDescriptor.open(Path.of("/proc/self/ns/net"));
                var kept = withDatagrams(files(15053, "a"), "b", "c");
                var own = withDatagrams(files(15053, "d"), "e")) {
            agent.awaitHello();

            var added = submit(() -> agent.add(ADD, netns, kept));
            var incoming = (Incoming.Add) proxy.receive(SOON);
            try (var _ = incoming.netns();
                    var held = Objects.requireNonNull(incoming.held())) {
                assertThat(held.datagramsKept()).isTrue();
                assertSame(held.on(15053), kept.on(15053));
                assertSame(held.datagramsOn(15053), kept.datagramsOn(15053));
            }
            proxy.handOver(own);
            try (var listeners =
                    Objects.requireNonNull(added.get(5, TimeUnit.SECONDS).listeners())) {
                assertSame(listeners.on(15053), own.on(15053));
                assertSame(listeners.datagramsOn(15053), own.datagramsOn(15053));
            }
        }
    }

    private static void assertSame(List<FileDescriptor> found, List<FileDescriptor> expected) {
        assertThat(found.stream().map(FileDescriptor::inode).toList())
                .isEqualTo(expected.stream().map(FileDescriptor::inode).toList());
    }

    /// One of ours from before there were any: it would take the group for listeners.
    @Test
    void aProxyThatKnowsListenersOnlyIsToldOfThoseOnly() throws Exception {
        try (var proxy = SeqPacketSocket.connect(server.path());
                var agent = accepted();
                var netns = FileDescriptor.open(Path.of("/proc/self/ns/net"));
                var kept = withDatagrams(files(15001, "a"), "b")) {
            proxy.send(HexFormat.of().parseHex("0801" + "c83e01"), List.of(), SOON);
            agent.awaitHello();
            assertThat(agent.handOver()).isEqualTo(HandOver.LISTENERS);

            var added = submit(() -> agent.add(ADD, netns, kept));
            var message = (SeqPacketSocket.Received.Message) proxy.receive(1024, SOON);
            message.descriptors().forEach(FileDescriptor::close);
            assertThat(message.descriptors()).hasSize(2);
            assertThat(ZdsCodec.decodeRequest(message.bytes()))
                    .isEqualTo(new Add("u1", ADD.workload(), groups(new ListenerGroup(15001, 1))));

            proxy.send(ZdsCodec.ack(groups(new ListenerGroup(15053, 1, true))), List.of(netns), SOON);
            assertThatThrownBy(() -> added.get(5, TimeUnit.SECONDS))
                    .rootCause()
                    .hasMessageContaining("nobody asked for");
        }
    }

    /// A store of ours from before there were any: what it does not know it must not be given.
    @Test
    void aStoreThatKnowsListenersOnlyIsSeen() throws Exception {
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = Objects.requireNonNull(server.accept(SOON));
                var netns = FileDescriptor.open(Path.of("/proc/self/ns/net"))) {
            // uid, workload_info, and field 1001 with nothing in it
            var add = "0a027531" + "1209" + "0a016e" + "120173" + "1a0161" + "ca3e00";
            agent.send(HexFormat.of().parseHex("0a12" + add), List.of(netns), SOON);

            var incoming = (Incoming.Add) proxy.receive(SOON);
            try (var _ = incoming.netns();
                    var held = Objects.requireNonNull(incoming.held())) {
                assertThat(held.isEmpty()).isTrue();
                assertThat(held.datagramsKept()).isFalse();
            }
        }
    }

    private HeldListeners withDatagrams(HeldListeners held, String... names) throws IOException {
        for (var name : names) {
            held.addDatagrams(15053, FileDescriptor.open(Files.writeString(folder.resolve(name), "")));
        }
        return held;
    }

    private static ListenerGroups groups(ListenerGroup... groups) {
        return new ListenerGroups(List.of(groups), false);
    }

    @Test
    void refusesListenersThatDoNotFitTheirDescriptors() throws Exception {
        var two = new Add("u1", ADD.workload(), groups(new ListenerGroup(15001, 2)));
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = Objects.requireNonNull(server.accept(SOON));
                var netns = FileDescriptor.open(Path.of("/proc/self/ns/net"))) {
            agent.send(ZdsCodec.encode(two), List.of(netns, netns), SOON);

            assertThatThrownBy(() -> proxy.receive(SOON))
                    .isInstanceOf(ZdsProtocolException.class)
                    .hasMessageContaining("1 listeners with the message (expected: 2");
        }
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = Objects.requireNonNull(server.accept(SOON));
                var netns = FileDescriptor.open(Path.of("/proc/self/ns/net"))) {
            agent.send(ZdsCodec.encode(ADD), List.of(netns, netns), SOON);

            assertThatThrownBy(() -> proxy.receive(SOON))
                    .isInstanceOf(ZdsProtocolException.class)
                    .hasMessageContaining("2 descriptors");
        }
    }

    @ParameterizedTest
    @CsvSource({"0,1", "65536,1", "-1,1", "15001,0", "15001,-1", "15001,253"})
    void refusesListenersThatCannotBe(int port, int count) {
        var listeners = groups(new ListenerGroup(port, count));

        assertThatThrownBy(() -> ZdsCodec.decodeRequest(ZdsCodec.encode(new Add("u1", ADD.workload(), listeners))))
                .isInstanceOf(ZdsProtocolException.class)
                .hasMessageContaining("add u1: ");
        assertThatThrownBy(() -> ZdsCodec.decodeAck(ZdsCodec.ack(listeners))).isInstanceOf(ZdsProtocolException.class);
    }

    @Test
    void refusesAPortThatIsNamedTwiceAndMoreListenersThanOneMessageCarries() {
        var twice = groups(new ListenerGroup(15001, 1), new ListenerGroup(15001, 2));
        var twiceOfUdp = groups(new ListenerGroup(15053, 1, true), new ListenerGroup(15053, 1, true));
        var tooMany = groups(new ListenerGroup(15001, 200), new ListenerGroup(15008, 53));

        assertThatThrownBy(() -> ZdsCodec.decodeAck(ZdsCodec.ack(twice))).hasMessageContaining("each once");
        assertThatThrownBy(() -> ZdsCodec.decodeAck(ZdsCodec.ack(twiceOfUdp))).hasMessageContaining("each once");
        assertThatThrownBy(() -> ZdsCodec.decodeAck(ZdsCodec.ack(tooMany))).hasMessageContaining("252 in all");
    }

    private HeldListeners files(Object... portsAndNames) throws IOException {
        var held = new HeldListeners();
        for (int i = 0; i < portsAndNames.length; i += 2) {
            var file = Files.writeString(folder.resolve((String) portsAndNames[i + 1]), "");
            held.add((int) portsAndNames[i], FileDescriptor.open(file));
        }
        return held;
    }

    @Test
    void unsolicitedBytesEndTheSession() throws Exception {
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = accepted()) {
            agent.awaitHello();
            proxy.ack();

            assertThatThrownBy(agent::requireSilence)
                    .isInstanceOf(ZdsProtocolException.class)
                    .hasMessageContaining("unsolicited");
        }
    }

    @Test
    void aProxyThatLeavesEndsTheSession() throws Exception {
        var proxy = ZdsProxySession.connect(server.path());
        try (var agent = accepted()) {
            agent.awaitHello();
            proxy.close();

            assertThatThrownBy(agent::requireSilence)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("closed");
        }
    }

    @Test
    void refusesAnAddWithoutANamespace() throws Exception {
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = Objects.requireNonNull(server.accept(SOON))) {
            agent.send(ZdsCodec.encode(ADD), List.of(), SOON);

            assertThatThrownBy(() -> proxy.receive(SOON))
                    .isInstanceOf(ZdsProtocolException.class)
                    .hasMessageContaining("0 descriptors");
        }
    }

    @Test
    void refusesANamespaceWhereNoneBelongs() throws Exception {
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = Objects.requireNonNull(server.accept(SOON));
                var netns = FileDescriptor.open(Path.of("/proc/self/ns/net"))) {
            agent.send(ZdsCodec.encode(new Del("u1")), List.of(netns), SOON);

            assertThatThrownBy(() -> proxy.receive(SOON))
                    .isInstanceOf(ZdsProtocolException.class)
                    .hasMessageContaining("1 descriptors");
        }
    }

    @Test
    void refusesKeepAndSnapshotAfterTheSnapshot() throws Exception {
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = Objects.requireNonNull(server.accept(SOON))) {
            agent.send(ZdsCodec.encode(new ZdsRequest.SnapshotSent()), List.of(), SOON);
            assertThat(proxy.receive(SOON)).isEqualTo(new Incoming.SnapshotSent());
            agent.send(ZdsCodec.encode(new Keep("u1")), List.of(), SOON);

            assertThatThrownBy(() -> proxy.receive(SOON))
                    .isInstanceOf(ZdsProtocolException.class)
                    .hasMessageContaining("after the snapshot");
        }
    }

    /// The numbers of the fields are the protocol: DelWorkload.uid is 2, keep is 5.
    @Test
    void bytesAreThoseOfIstio() {
        assertThat(hex(ZdsCodec.hello()))
                .isEqualTo("0801" + "c83e01" + "d03e01"); // 1001, 1002: ours, read past by Istio
        assertThat(hex(ZdsCodec.encode(new Del("u1")))).isEqualTo("1204" + "1202" + "7531");
        assertThat(hex(ZdsCodec.encode(new Keep("u1")))).isEqualTo("2a04" + "0a02" + "7531");
        assertThat(hex(ZdsCodec.encode(new ZdsRequest.SnapshotSent()))).isEqualTo("1a00");
        assertThat(hex(ZdsCodec.encode(new Add("u1", new WorkloadInfo("n", "s", "a")))))
                .isEqualTo("0a0f" + "0a027531" + "1209" + "0a016e" + "120173" + "1a0161");
        assertThat(hex(ZdsCodec.ack(""))).isEqualTo("0a00");
        assertThat(hex(ZdsCodec.ack("no"))).isEqualTo("0a04" + "0a026e6f");
    }

    @Test
    void refusesWhatItCannotRead() {
        assertThatThrownBy(() -> ZdsCodec.requireHello(new byte[] {8, 0})).hasMessageContaining("version");
        assertThatThrownBy(() -> ZdsCodec.requireHello(new byte[] {(byte) 0xff}))
                .hasMessageContaining("unreadable");
        assertThatThrownBy(() -> ZdsCodec.decodeRequest(new byte[0])).hasMessageContaining("no payload");
        assertThatThrownBy(() -> ZdsCodec.decodeRequest(new byte[] {0x0a, 0x04, 0x0a, 0x02, 'u', '1'}))
                .hasMessageContaining("no workload_info");
        assertThatThrownBy(() -> ZdsCodec.decodeRequest(new byte[] {0x12, 0x00}))
                .hasMessageContaining("no uid");
        assertThatThrownBy(() -> ZdsCodec.decodeAck(new byte[0])).hasMessageContaining("no ack");
    }

    private ZdsAgentSession accepted() throws IOException {
        SeqPacketSocket socket = Objects.requireNonNull(server.accept(SOON));
        return new ZdsAgentSession(socket);
    }

    private <T> Future<T> submit(Callable<T> task) {
        return agentThread.submit(task);
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }
}
