package io.loam.agent.outbound;

import static io.loam.agent.connections.ConnectionFixture.await;
import static io.loam.agent.connections.ConnectionFixture.readAll;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.connections.ConnectionFixture;
import io.loam.agent.dns.HostLookup;
import io.loam.agent.pod.AddressLookup;
import io.loam.agent.pod.DemandLookup;
import io.loam.agent.pod.TestPods;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.workload.Workload;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.PendingConnect;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.loam.runtime.tunnel.OpenFailure;
import io.loam.runtime.tunnel.PooledOpening;
import io.loam.runtime.tunnel.StreamSource;
import io.loam.runtime.tunnel.TunnelKey;
import io.loam.runtime.xds.AddressDemand;
import io.loam.runtime.xds.SpokenAddresses;
import io.netty.buffer.ByteBuf;
import io.netty.channel.embedded.EmbeddedChannel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// An application's connection from the accept to the relay, over real sockets on loopback.
@Timeout(60)
class OutboundConnectionTest {
    private static final InetSocketAddress OUTSIDE = address("203.0.113.1", 80);
    private static final InetSocketAddress WEB = address("10.0.0.8", 8080);
    private static final InetSocketAddress DB = address("10.96.0.9", 5432);
    private static final OpenFailure ANOTHER = new OpenFailure.AnotherPeer(new SSLException("somebody else"));

    private final HeldStreams streams = new HeldStreams();
    private final HeldLookups hosts = new HeldLookups();
    private ConnectionFixture node;
    private OutboundServices services;

    @BeforeEach
    void start() throws Exception {
        node = new ConnectionFixture();
        services = new OutboundServices(
                node.view,
                node.workloads,
                AddressLookup.EVERYTHING_KNOWN,
                node.registry,
                node.telemetry,
                node.dialer,
                "",
                new Random(1));
    }

    @AfterEach
    void stop() throws Exception {
        node.close();
    }

    private static InetSocketAddress address(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }

    private Socket call(InetSocketAddress destination) throws Exception {
        return node.call((accepted, caller) ->
                OutboundConnection.begin(node.pod, services, streams, hosts, accepted, destination, caller));
    }

    private void describeBoth() {
        node.describePod();
        node.publish(MeshDelta.builder().upsert(TestPods.workload("web", "10.0.0.8")));
    }

    /// Calls `web`, and waits until a stream to it is asked for.
    private Socket callWeb() throws Exception {
        describeBoth();
        var socket = call(WEB);
        await(() -> streams.openings.size() == 1);
        return socket;
    }

    private TunnelStream.Listener open(TunnelStream stream) throws Exception {
        return node.onLoop(() -> streams.openings.getFirst().onOpened(noTunnel(), stream, ConnectResponse.PLAIN));
    }

    @Test
    void aRefusedDestinationIsAReset() throws Exception {
        node.describePod();
        try (var socket = call(address("127.0.0.1", 15001))) {
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended()).contains("LOOP");
        assertThat(node.dialer.targets).isEmpty();
    }

    @Test
    void aPodThatNobodyDescribesInTimeIsRefused() throws Exception {
        try (var socket = call(OUTSIDE)) {
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended()).contains("UNKNOWN_SOURCE");
    }

    /// In plaintext it would go around the mesh: nobody has said that the address is not a workload's.
    @Test
    void anAddressThatTheControlPlaneDoesNotSpeakAboutIsRefused() throws Exception {
        var demand = new AddressDemand(new PrometheusRegistry(), System::nanoTime);
        askFor(demand, Duration.ofMillis(100));
        node.describePod();
        try (var socket = call(OUTSIDE)) {
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended()).contains("UNKNOWN_DESTINATION").contains("/203.0.113.1");
        assertThat(node.dialer.targets).isEmpty();
        awaitUnused(demand);
    }

    @Test
    void anAddressThatNobodyHasIsDecidedAboutAsEver() throws Exception {
        var demand = new AddressDemand(new PrometheusRegistry(), System::nanoTime);
        askFor(demand, Duration.ofSeconds(20));
        var controlPlane = new SpokenAddresses(demand);
        node.describePod();
        try (var socket = call(OUTSIDE)) {
            await(() -> controlPlane.asked().contains("/203.0.113.1"));
            assertThat(node.dialer.targets).isEmpty();
            controlPlane.hasNot("/203.0.113.1");
            node.application.accept().close();
            assertThat(readAll(socket)).isEmpty();
        }
        assertThat(node.dialer.targets).containsExactly(OUTSIDE);
        awaitUnused(demand);
    }

    /// A closed egress and a mesh that forgets something meanwhile: what was not heard of yet is no reason to
    /// cut.
    @Test
    void whoWaitsForAnAddressIsNotCutForIt() throws Exception {
        var demand = new AddressDemand(new PrometheusRegistry(), System::nanoTime);
        askFor(demand, Duration.ofSeconds(20));
        var controlPlane = new SpokenAddresses(demand);
        node.publish(MeshDelta.builder().upsert(TestPods.closed("cart", "10.0.0.7")));
        node.publish(MeshDelta.builder().upsert(TestPods.workload("gone", "10.0.0.9")));
        try (var _ = call(WEB)) {
            await(() -> controlPlane.asked().contains("/10.0.0.8"));
            node.publish(MeshDelta.builder()
                    .removeWorkload(TestPods.workload("gone", "10.0.0.9").uid()));
            node.publish(MeshDelta.builder().upsert(TestPods.workload("web", "10.0.0.8")));
            controlPlane.has("/10.0.0.8");
            await(() -> streams.openings.size() == 1);
        }
    }

    private static void awaitUnused(AddressDemand demand) throws Exception {
        await(() -> demand.states().values().stream().allMatch(state -> state.uses() == 0));
    }

    private void askFor(AddressDemand demand, Duration limit) {
        services = new OutboundServices(
                node.view,
                node.workloads,
                new DemandLookup(node.workloads, node.view, demand, "", limit),
                node.registry,
                node.telemetry,
                node.dialer,
                "",
                new Random(1));
    }

    @Test
    void whatIsSaidBeforeThePodIsKnownReachesTheTarget() throws Exception {
        try (var socket = call(OUTSIDE)) {
            socket.getOutputStream().write("early".getBytes(StandardCharsets.US_ASCII));
            socket.shutdownOutput();
            node.describePod();
            try (var served = node.application.accept()) {
                assertThat(readAll(served)).isEqualTo("early");
                served.getOutputStream().write("answer".getBytes(StandardCharsets.US_ASCII));
            }
            assertThat(readAll(socket)).isEqualTo("answer");
        }
        assertThat(node.ended()).contains("connection complete");
        assertThat(node.dialer.targets).containsExactly(OUTSIDE);
    }

    @Test
    void whatIsSaidBeforeTheStreamOpensGoesIntoItWithItsEnd() throws Exception {
        var stream = new NotedStream();
        try (var socket = callWeb()) {
            socket.getOutputStream().write("early".getBytes(StandardCharsets.US_ASCII));
            socket.shutdownOutput();
            var listener = open(stream);
            await(() -> stream.said.contains("END"));
            assertThat(String.join("", stream.said)).isEqualTo("earlyEND");
            node.onLoop(() -> {
                listener.onEndStream();
                listener.onFinished();
                return "told";
            });
            assertThat(readAll(socket)).isEmpty();
        }
        assertThat(node.ended()).contains("connection complete");
    }

    @Test
    void anApplicationThatGivesUpCancelsItsStream() throws Exception {
        ConnectionFixture.reset(callWeb());

        assertThat(node.ended()).contains("GAVE_UP");
        assertThat(streams.cancelled).hasValue(1);
    }

    @Test
    void anApplicationThatGivesUpCancelsItsDial() throws Exception {
        node.describePod();
        node.dialer.holding = true;
        var socket = call(OUTSIDE);
        await(() -> node.dialer.dials.size() == 1);
        ConnectionFixture.reset(socket);

        assertThat(node.ended()).contains("GAVE_UP");
        assertThat(node.dialer.dials.getFirst().isCancelled()).isTrue();
    }

    @Test
    void theEndOfADrainCutsWhatIsStillDialling() throws Exception {
        node.describePod();
        node.dialer.holding = true;
        try (var socket = call(OUTSIDE)) {
            await(() -> node.dialer.dials.size() == 1);
            node.registry.abortAll("drain deadline reached");
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended()).contains("DRAINED", "drain deadline reached");
        assertThat(node.dialer.dials.getFirst().isCancelled()).isTrue();
    }

    @Test
    void withoutASocketTheApplicationSeesAReset() throws Exception {
        node.describePod();
        node.dialer.withoutSocket = true;
        try (var socket = call(OUTSIDE)) {
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended()).contains("DIAL_FAILED", "Too many open files");
    }

    @Test
    void withoutAStreamTheApplicationSeesAReset() throws Exception {
        try (var socket = callWeb()) {
            node.onLoop(() -> {
                streams.openings.getFirst().onFailed(new OpenFailure.TooManyWaiting(1));
                return "told";
            });
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended()).contains("OVERLOADED");
    }

    @Test
    void aRefusalNamesTheServiceThatWasAskedFor() throws Exception {
        node.describePod();
        node.publish(MeshDelta.builder().upsert(TestPods.service("db", "10.96.0.9")));
        try (var socket = call(address("10.96.0.9", 5432))) {
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended()).contains("NO_HEALTHY_UPSTREAM", "dst.service=\"db.shop.svc.cluster.local\"");
    }

    /// Describes the pod and the service `db`, whose one endpoint is a host name, and calls it.
    private Socket callNamed(Workload.TunnelProtocol tunnel) throws Exception {
        node.describePod();
        node.publish(MeshDelta.builder()
                .upsert(TestPods.service("db", "10.96.0.9"))
                .upsert(TestPods.named("db", "db.example.com", tunnel)));
        var socket = call(address("10.96.0.9", 5432));
        await(() -> hosts.waiting.size() == 1);
        return socket;
    }

    private void answer(HostLookup.Answer answer) throws Exception {
        node.onLoop(() -> {
            hosts.waiting.getFirst().onAnswer(answer);
            return "told";
        });
    }

    @Test
    void anEndpointThatIsAHostNameIsDialledWhereItsNameLeads() throws Exception {
        try (var socket = callNamed(Workload.TunnelProtocol.NONE)) {
            answer(new HostLookup.Answer.Found(List.of(WEB.getAddress())));
            try (var served = node.application.accept()) {
                served.getOutputStream().write("answer".getBytes(StandardCharsets.US_ASCII));
            }
            socket.shutdownOutput();
            assertThat(readAll(socket)).isEqualTo("answer");
        }
        assertThat(hosts.asked).containsExactly("db.example.com");
        assertThat(node.dialer.targets).containsExactly(address("10.0.0.8", 5432));
        assertThat(node.ended())
                .contains("connection complete", "dst.addr=10.0.0.8:5432", "dst.service=\"db.shop.svc.cluster.local\"");
    }

    @Test
    void aTunnelToAHostNameGoesWhereItsNameLeads() throws Exception {
        try (var socket = callNamed(Workload.TunnelProtocol.HBONE)) {
            answer(new HostLookup.Answer.Found(List.of(WEB.getAddress())));
            await(() -> streams.openings.size() == 1);
            assertThat(streams.keys.getFirst().destination()).isEqualTo(address("10.0.0.8", 15008));
            assertThat(streams.requests.getFirst().authority()).isEqualTo("10.0.0.8:5432");
            ConnectionFixture.reset(socket);
        }
        node.ended();
    }

    @Test
    void aHostNameWithoutAddressIsAResetAndSaysWhy() throws Exception {
        try (var socket = callNamed(Workload.TunnelProtocol.NONE)) {
            answer(new HostLookup.Answer.NotFound("db.example.com: no such name (asked 10.96.0.10 port 53)"));
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended())
                .contains("UNRESOLVED", "no such name (asked 10.96.0.10 port 53)", "dst.service=", "10.96.0.9:5432");
    }

    @Test
    void aHostNameThatLeadsIntoThePodIsRefused() throws Exception {
        try (var socket = callNamed(Workload.TunnelProtocol.NONE)) {
            answer(new HostLookup.Answer.Found(List.of(InetAddress.ofLiteral("127.0.0.1"))));
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended()).contains("UNRESOLVED", "db.example.com: no endpoint can have its address 127.0.0.1");
        assertThat(node.dialer.targets).isEmpty();
    }

    @Test
    void anApplicationThatGivesUpGivesUpItsLookup() throws Exception {
        ConnectionFixture.reset(callNamed(Workload.TunnelProtocol.NONE));

        assertThat(node.ended()).contains("GAVE_UP");
        assertThat(hosts.givenUp).hasValue(1);
        answer(new HostLookup.Answer.Found(List.of(WEB.getAddress()))); // came at the same moment
        assertThat(node.dialer.targets).isEmpty();
    }

    /// Hazards, rule 7.
    @Test
    void aBugEndsTheConnectionIsCountedAndLeavesNothing() throws Exception {
        describeBoth();
        streams.broken = true;
        try (var socket = call(WEB)) {
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended()).contains("BUG");
        assertThat(node.bugs()).isEqualTo(1);
    }

    /// Hazards, rule 7: the relay has begun when it happens.
    @Test
    void aBugInARunningRelayEndsTheConnectionAndIsCounted() throws Exception {
        var stream = new NotedStream();
        stream.broken = true;
        try (var socket = callWeb()) {
            open(stream);
            socket.getOutputStream().write(1);
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(node.ended()).contains("BUG");
        assertThat(node.bugs()).isEqualTo(1);
        assertThat(stream.said).containsExactly("RESET 2");
    }

    /// What the mesh says when it is asked once more, because somebody else was found at 10.0.0.8 (hazard I12).
    ///
    /// @param second where the second tunnel goes and whom it expects; null if there is none
    record SecondLook(
            String name,
            InetSocketAddress called,
            List<MeshDelta.Builder> news,
            @Nullable String second) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<SecondLook> secondLooks() {
        return Stream.of(
                new SecondLook("nothing new", WEB, List.of(), null),
                new SecondLook(
                        "another pod has the address",
                        WEB,
                        List.of(
                                MeshDelta.builder().removeWorkload("Kubernetes//Pod/shop/web"),
                                MeshDelta.builder().upsert(TestPods.workload("shelf", "10.0.0.8"))),
                        "10.0.0.8:15008 as shelf"),
                new SecondLook(
                        "nobody has the address",
                        WEB,
                        List.of(MeshDelta.builder().removeWorkload("Kubernetes//Pod/shop/web")),
                        null),
                new SecondLook(
                        "the pod has left the mesh",
                        WEB,
                        List.of(MeshDelta.builder()
                                .upsert(TestPods.workload("web", "10.0.0.8", Map.of(), Workload.TunnelProtocol.NONE))),
                        null),
                new SecondLook("the service has no other endpoint", DB, List.of(), null),
                new SecondLook(
                        "the service has another endpoint",
                        DB,
                        List.of(MeshDelta.builder().upsert(endpoint("shelf", "10.0.0.9"))),
                        "10.0.0.9:15008 as shelf"));
    }

    private static Workload endpoint(String name, String address) {
        return TestPods.workload(
                name,
                address,
                Map.of(TestPods.service("db", "10.96.0.9").key(), List.of()),
                Workload.TunnelProtocol.HBONE);
    }

    @ParameterizedTest
    @MethodSource("secondLooks")
    void whoFindsSomebodyElseAsksTheMeshOnceMore(SecondLook look) throws Exception {
        node.describePod();
        node.publish(
                MeshDelta.builder().upsert(TestPods.service("db", "10.96.0.9")).upsert(endpoint("web", "10.0.0.8")));
        try (var socket = call(look.called)) {
            await(() -> streams.openings.size() == 1);
            assertThat(tunnel(0)).isEqualTo("10.0.0.8:15008 as web");
            look.news.forEach(node::publish);
            fail(0, ANOTHER);
            if (look.second != null) {
                await(() -> streams.openings.size() == 2);
                assertThat(tunnel(1)).isEqualTo(look.second);
                fail(1, ANOTHER);
            }
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(streams.openings).hasSize(look.second == null ? 1 : 2);
        assertThat(node.dialer.targets).isEmpty();
        var line = node.ended();
        assertThat(line).contains("TLS_REFUSED", "somebody else");
        assertThat(line.contains("instead_of=\"10.0.0.8 port 15008: TLS refused: "))
                .isEqualTo(look.second != null);
        assertThat(node.mismatches()).containsExactly(look.second == null ? "refused 1" : "tried 1");
    }

    @Test
    void whoFindsSomebodyElseIsCarriedByWhomTheMeshNamesInstead() throws Exception {
        var stream = new NotedStream();
        node.describePod();
        node.publish(MeshDelta.builder()
                .upsert(TestPods.service("db", "10.96.0.9"))
                .upsert(endpoint("web", "10.0.0.8"))
                .upsert(endpoint("shelf", "10.0.0.9")));
        try (var socket = call(DB)) {
            await(() -> streams.openings.size() == 1);
            fail(0, ANOTHER);
            await(() -> streams.openings.size() == 2);
            assertThat(List.of(tunnel(0), tunnel(1)))
                    .containsExactlyInAnyOrder("10.0.0.8:15008 as web", "10.0.0.9:15008 as shelf");
            socket.getOutputStream().write("said".getBytes(StandardCharsets.US_ASCII));
            socket.shutdownOutput();
            var listener =
                    node.onLoop(() -> streams.openings.get(1).onOpened(noTunnel(), stream, ConnectResponse.PLAIN));
            await(() -> stream.said.contains("END"));
            assertThat(String.join("", stream.said)).isEqualTo("saidEND");
            node.onLoop(() -> {
                listener.onEndStream();
                listener.onFinished();
                return "told";
            });
            assertThat(readAll(socket)).isEmpty();
        }
        assertThat(node.ended()).contains("connection complete", "instead_of=").doesNotContain("code=");
    }

    /// Only who proved another identity may be a pod that the mesh has not heard of.
    @Test
    void aPeerThatIsNotTrustedIsNotLookedForElsewhere() throws Exception {
        node.describePod();
        node.publish(MeshDelta.builder()
                .upsert(TestPods.service("db", "10.96.0.9"))
                .upsert(endpoint("web", "10.0.0.8"))
                .upsert(endpoint("shelf", "10.0.0.9")));
        try (var socket = call(DB)) {
            await(() -> streams.openings.size() == 1);
            fail(0, new OpenFailure.TlsRefused(new SSLException("unknown root")));
            assertThat(readAll(socket)).isEqualTo("reset");
        }
        assertThat(streams.openings).hasSize(1);
        assertThat(node.ended()).contains("TLS_REFUSED", "unknown root").doesNotContain("instead_of");
        assertThat(node.mismatches()).isEmpty();
    }

    @Test
    void anApplicationThatGivesUpGivesUpTheSecondTunnel() throws Exception {
        node.describePod();
        node.publish(MeshDelta.builder()
                .upsert(TestPods.service("db", "10.96.0.9"))
                .upsert(endpoint("web", "10.0.0.8"))
                .upsert(endpoint("shelf", "10.0.0.9")));
        var socket = call(DB);
        await(() -> streams.openings.size() == 1);
        fail(0, ANOTHER);
        await(() -> streams.openings.size() == 2);
        ConnectionFixture.reset(socket);

        assertThat(node.ended()).contains("GAVE_UP", "instead_of=");
        assertThat(streams.cancelled).hasValue(1);
    }

    private void fail(int opening, OpenFailure failure) throws Exception {
        node.onLoop(() -> {
            streams.openings.get(opening).onFailed(failure);
            return "told";
        });
    }

    private String tunnel(int opening) {
        var key = streams.keys.get(opening);
        return key.destination().getAddress().getHostAddress() + ":"
                + key.destination().getPort() + " as "
                + key.destinations().stream().map(SpiffeId::serviceAccount).collect(Collectors.joining(" or "));
    }

    /// The connection only notes by which channel it goes.
    private static Tunnel noTunnel() {
        var channel = new EmbeddedChannel();
        return (Tunnel)
                Proxy.newProxyInstance(Tunnel.class.getClassLoader(), new Class<?>[] {Tunnel.class}, (_, method, _) -> {
                    if (method.getName().equals("channel")) {
                        return channel;
                    }
                    throw new AssertionError(method + " of the tunnel was called");
                });
    }

    private static final class HeldLookups implements HostLookup {
        private final List<Listener> waiting = new CopyOnWriteArrayList<>();
        private final List<String> asked = new CopyOnWriteArrayList<>();
        private final AtomicInteger givenUp = new AtomicInteger();

        @Override
        public Runnable find(Workload source, String host, Listener next) {
            asked.add(host);
            waiting.add(next);
            return givenUp::incrementAndGet;
        }
    }

    private static final class HeldStreams implements StreamSource {
        private final List<PooledOpening> openings = new CopyOnWriteArrayList<>();
        private final List<TunnelKey> keys = new CopyOnWriteArrayList<>();
        private final List<ConnectRequest> requests = new CopyOnWriteArrayList<>();
        private final AtomicInteger cancelled = new AtomicInteger();
        private volatile boolean broken;

        @Override
        public PendingConnect open(TunnelKey key, ConnectRequest request, PooledOpening opening) {
            if (broken) {
                throw new IllegalStateException("bug");
            }
            keys.add(key);
            requests.add(request);
            openings.add(opening);
            return cancelled::incrementAndGet;
        }
    }

    private static final class NotedStream implements TunnelStream {
        private final List<String> said = new CopyOnWriteArrayList<>();
        private volatile boolean broken;

        @Override
        public void write(ByteBuf data) {
            var text = data.toString(StandardCharsets.US_ASCII);
            data.release();
            if (broken) {
                throw new IllegalStateException("bug");
            }
            said.add(text);
        }

        @Override
        public void flush() {}

        @Override
        public boolean isWritable() {
            return true;
        }

        @Override
        public void credit(int bytes) {}

        @Override
        public void endStream() {
            said.add("END");
        }

        @Override
        public void reset(long errorCode) {
            said.add("RESET " + errorCode);
        }
    }
}
