package io.loam.it.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.ca.CertificateAuthority;
import io.loam.lab.network.LabAddresses;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.hbone.ConnectFailure;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.tls.MeshTls;
import io.loam.protocol.tls.WorkloadCsr;
import io.loam.runtime.tunnel.ClientTlsSource;
import io.loam.runtime.tunnel.OpenFailure;
import io.loam.runtime.tunnel.PooledOpening;
import io.loam.runtime.tunnel.TunnelKey;
import io.loam.runtime.tunnel.TunnelPool;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import io.netty.buffer.ByteBuf;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Who turns the proxy against itself: calls to its own ports, and tunnels that ask for what is not theirs.
final class OwnPortsNetnsIT {
    private static final List<Integer> OWN_PORTS = List.of(15001, 15006, 15008, 15000, 15020, 15021, 15053);

    /// On the node's own address these answer anybody, as in ztunnel: metrics and readiness.
    private static final Set<Integer> PUBLIC_ON_NODES = Set.of(15020, 15021);

    @TempDir
    private static Path directory;

    private static TunnelLab mesh;

    @BeforeAll
    static void start() throws IOException {
        mesh = TunnelLab.start("own", directory);
    }

    @AfterAll
    static void stop() throws IOException {
        if (mesh != null) {
            mesh.close();
        }
    }

    /// Hazard I15: 7 ports × 4 addresses × a captured and an uncaptured pod. A connection of the caller may lead
    /// to a tunnel, if its event loop has none to that peer yet, and to what the server's proxy dials; a fourth
    /// would be a loop.
    @Test
    void callsToTheProxysOwnPortsEndWithoutALoop() throws IOException {
        var cells = 0;
        var problems = new ArrayList<String>();
        for (var caller : List.of("mesh/client", "plain/outsider")) {
            var node = mesh.lab().pod(caller).node();
            var nodeAddress = node.equals("na") ? "172.20.0.11" : "172.20.0.12";
            var addresses = List.of(
                    mesh.ipv4(caller).getHostAddress(),
                    nodeAddress,
                    "127.0.0.1",
                    mesh.ipv4("mesh/server").getHostAddress());
            for (var address : addresses) {
                for (int port : OWN_PORTS) {
                    cells++;
                    var before = opened(caller);
                    var result = mesh.run(
                            caller,
                            Duration.ofSeconds(20),
                            "curl",
                            "-sS",
                            "-m",
                            "5",
                            "-o",
                            directory.resolve("answer").toString(),
                            "-w",
                            "%{http_code}",
                            "http://" + address + ":" + port + "/config_dump");
                    var connections = opened(caller) - before;
                    var cell = caller + " to " + address + ":" + port + ": "
                            + result.output().strip() + ", " + connections + " connections";
                    var mayAnswer = address.equals(nodeAddress) && PUBLIC_ON_NODES.contains(port);
                    if (connections > 3 || result.output().contains("timed out")) {
                        problems.add("loops: " + cell);
                    }
                    if (!mayAnswer && result.exitCode() == 0) {
                        problems.add("answers: " + cell);
                    }
                    if (result.exitCode() == 0 && result.output().endsWith("200")) {
                        problems.add("reads the configuration: " + cell);
                    }
                }
            }
        }
        System.out.println("hazard I15: " + (cells - problems.size()) + " of " + cells + " cells without a loop or an"
                + " answer; " + problems);
        assertThat(problems).isEmpty();
    }

    private static long opened(String caller) throws IOException {
        return mesh.opened(caller) + mesh.opened("mesh/server");
    }

    /// Hazard I14: a peer with a good certificate asks the server's proxy for what is not the server.
    @Test
    void aTunnelLeadsNowhereButToThePodItWasMadeTo() throws Exception {
        var own = mesh.ipv4("mesh/server").getHostAddress();
        var other = mesh.ipv4("mesh/neighbour").getHostAddress();
        var authorities = List.of(
                other + ":8080",
                mesh.ipv4("mesh/client").getHostAddress() + ":8080",
                mesh.ipv4("plain/stranger").getHostAddress() + ":8080",
                "[" + mesh.ipv6("mesh/neighbour").getHostAddress() + "]:8080",
                "[::ffff:" + other + "]:8080",
                "10.96.1.1:80",
                "[fd00:96::101]:80",
                "127.0.0.1:8080",
                "127.0.0.1:15000",
                "[::1]:8080",
                "[::ffff:127.0.0.1]:8080",
                "0.0.0.0:8080",
                "[::]:8080",
                "localhost:8080",
                "172.20.0.11:15020",
                "172.20.0.12:15020",
                "[" + LabAddresses.FABRIC_IPV6.getHostAddress() + "]:15012",
                "203.0.113.1:80",
                "nobody.mesh.svc.cluster.local:80",
                "server.mesh.svc.cluster.local:8080",
                own + ":15001",
                own + ":15006",
                own + ":15008",
                own + ":0",
                own + ":65536",
                own + ":-1",
                own + ":",
                own,
                ":8080",
                "a b:80",
                "[" + own + "]:8080",
                "2130706433:8080",
                "010.244.002.005:8080");
        try (var peer = new RawPeer()) {
            assertThat(peer.ask(own + ":8080")).as("what is allowed").isEqualTo("200");
            var before = mesh.opened("mesh/server");
            var answers = new ArrayList<String>();
            for (var authority : authorities) {
                answers.add(authority + " " + peer.ask(authority));
            }
            var dialled = mesh.opened("mesh/server") - before;
            var refused = answers.stream()
                    .filter(answer -> answer.endsWith(" 400") || answer.endsWith(" 503"))
                    .toList();
            System.out.println("hazard I14: " + refused.size() + " of " + answers.size() + " refused, " + dialled
                    + " dialled: " + answers);
            assertThat(answers).containsExactlyElementsOf(refused);
            assertThat(dialled).as("connections that the server's proxy opened").isZero();
        }
    }

    /// A client of our own in `plain/outsider`, uncaptured, with a certificate of the client's account.
    private static final class RawPeer implements AutoCloseable {
        private final MultiThreadIoEventLoopGroup group =
                new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        private final Netns netns = Netns.open(mesh.lab().podNetns("plain/outsider"));
        private final TunnelPool pool;
        private final TunnelKey key;

        RawPeer() throws Exception {
            var source = new SpiffeId("cluster.local", "mesh", "client");
            var request = WorkloadCsr.generate(source);
            var state = mesh.lab().name().stateDir().resolve("ca");
            var issued = CertificateAuthority.openOrCreate(state, InstantSource.system())
                    .issueWorkload(source, request.pem(), Duration.ofHours(1));
            var tls = MeshTls.of(request.accept(issued.certChain()), InstantSource.system());
            key = new TunnelKey(
                    source,
                    mesh.ipv4("plain/outsider"),
                    Set.of(new SpiffeId("cluster.local", "mesh", "server")),
                    new InetSocketAddress(mesh.ipv4("mesh/server"), TunnelLab.HBONE));
            pool = new TunnelPool(
                    group.next(),
                    _ -> netns.call(() -> new EpollSocketChannel()),
                    (wanted, loop) -> loop.newSucceededFuture(new ClientTlsSource.Workload(tls, wanted)),
                    TunnelPoolConfig.DEFAULT,
                    HboneConfig.DEFAULT);
        }

        /// @return the status, or why there is none
        String ask(String authority) throws Exception {
            var answer = new CompletableFuture<String>();
            group.next()
                    .execute(() -> pool.open(key, ConnectRequest.to(authority), new PooledOpening() {
                        @Override
                        public TunnelStream.Listener onOpened(
                                Tunnel tunnel, TunnelStream stream, ConnectResponse response) {
                            answer.complete("200");
                            stream.reset(0);
                            return new Deaf();
                        }

                        @Override
                        public void onFailed(OpenFailure failure) {
                            answer.complete(
                                    failure
                                                    instanceof
                                                    OpenFailure.ConnectFailed(ConnectFailure.RefusedStatus(int status))
                                            ? Integer.toString(status)
                                            : failure.reason());
                        }

                        @Override
                        public void onBug(Throwable cause) {
                            answer.completeExceptionally(cause);
                        }
                    }));
            return answer.get(20, TimeUnit.SECONDS);
        }

        @Override
        public void close() {
            group.next().submit(pool::close).awaitUninterruptibly();
            group.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
            netns.close();
        }
    }

    /// Gave the stream up at once.
    private static final class Deaf implements TunnelStream.Listener {
        @Override
        public void onData(ByteBuf data) {
            data.release();
        }

        @Override
        public void onReadComplete() {}

        @Override
        public void onEndStream() {}

        @Override
        public void onFinished() {}

        @Override
        public void onReset(long errorCode) {}

        @Override
        public void onWritable() {}

        @Override
        public void onBug(Throwable cause) {}
    }
}
