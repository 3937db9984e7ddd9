package io.loam.protocol.zds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.SeqPacketServer;
import io.loam.protocol.linux.SeqPacketSocket;
import io.loam.protocol.zds.ZdsProxySession.Incoming;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.Del;
import io.loam.protocol.zds.ZdsRequest.Keep;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
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

            var added = submit(() -> agent.add(ADD, netns));
            var incoming = (Incoming.Add) proxy.receive(SOON);
            try (var received = incoming.netns()) {
                assertThat(received.inode()).isEqualTo(netns.inode());
            }
            assertThat(incoming.uid()).isEqualTo("u1");
            assertThat(incoming.workload()).isEqualTo(ADD.workload());
            proxy.ack();
            assertThat(added.get(5, TimeUnit.SECONDS)).isEmpty();

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
            agent.send(ZdsCodec.encode(ADD), null, SOON);

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
            agent.send(ZdsCodec.encode(new Del("u1")), netns, SOON);

            assertThatThrownBy(() -> proxy.receive(SOON))
                    .isInstanceOf(ZdsProtocolException.class)
                    .hasMessageContaining("1 descriptors");
        }
    }

    @Test
    void refusesKeepAndSnapshotAfterTheSnapshot() throws Exception {
        try (var proxy = ZdsProxySession.connect(server.path());
                var agent = Objects.requireNonNull(server.accept(SOON))) {
            agent.send(ZdsCodec.encode(new ZdsRequest.SnapshotSent()), null, SOON);
            assertThat(proxy.receive(SOON)).isEqualTo(new Incoming.SnapshotSent());
            agent.send(ZdsCodec.encode(new Keep("u1")), null, SOON);

            assertThatThrownBy(() -> proxy.receive(SOON))
                    .isInstanceOf(ZdsProtocolException.class)
                    .hasMessageContaining("after the snapshot");
        }
    }

    /// The numbers of the fields are the protocol: DelWorkload.uid is 2, keep is 5.
    @Test
    void bytesAreThoseOfIstio() {
        assertThat(hex(ZdsCodec.hello())).isEqualTo("0801");
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
