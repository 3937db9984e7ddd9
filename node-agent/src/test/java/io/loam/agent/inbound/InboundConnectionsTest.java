package io.loam.agent.inbound;

import static io.loam.agent.connections.ConnectionFixture.await;
import static io.loam.agent.connections.ConnectionFixture.readAll;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.connections.ConnectionFixture;
import io.loam.agent.pod.AddressLookup;
import io.loam.agent.pod.TestPods;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.PendingStream;
import io.loam.protocol.hbone.ReceiveBudgets;
import io.loam.protocol.hbone.TunnelStream;
import io.loam.protocol.tls.HandshakeTerms;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.time.SystemTimer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What comes to a pod, plaintext and in a tunnel, from the accept to the relay. The application is on loopback.
@Timeout(60)
class InboundConnectionsTest {
    private static final InetSocketAddress TARGET = address("10.0.0.7", 8080);
    private static final AuthorizationPolicy DENY_ALL = new AuthorizationPolicy(
            "deny-all", "shop", Scope.WORKLOAD_SELECTOR, Action.DENY, List.of(new Rule(List.of())), false);

    private ConnectionFixture node;
    private InboundServices services;

    @BeforeEach
    void start() throws Exception {
        node = new ConnectionFixture();
        var certificates = new CertificateSource(
                _ -> {
                    throw new AssertionError("no certificate is needed behind the handshake");
                },
                HandshakeTerms.DEFAULT,
                Executors.newVirtualThreadPerTaskExecutor(),
                new SystemTimer(),
                new Random(1));
        services = new InboundServices(
                node.view,
                node.workloads,
                AddressLookup.EVERYTHING_KNOWN,
                certificates,
                node.registry,
                node.telemetry,
                node.dialer,
                HboneConfig.DEFAULT,
                new ReceiveBudgets(List.of(), 1),
                "",
                false);
    }

    @AfterEach
    void stop() throws Exception {
        node.close();
    }

    private static InetSocketAddress address(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }

    private void denyAll() {
        node.publish(
                MeshDelta.builder().upsert(DENY_ALL).upsert(TestPods.workload("cart", "10.0.0.7", DENY_ALL.key())));
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    @Nested
    class Plaintext {
        private Socket call(InetSocketAddress target) throws Exception {
            return node.call(
                    (accepted, caller) -> PlaintextConnection.begin(node.pod, services, accepted, target, caller));
        }

        @Test
        void aDeniedCallerSeesAReset() throws Exception {
            denyAll();
            try (var socket = call(TARGET)) {
                assertThat(readAll(socket)).isEqualTo("reset");
            }
            assertThat(node.ended()).contains("POLICY_DENIED", "denied by shop/deny-all rule 0");
            assertThat(node.dialer.targets).isEmpty();
        }

        @Test
        void theProxysOwnPortsAreRefused() throws Exception {
            node.describePod();
            try (var socket = call(address("10.0.0.7", 15008))) {
                assertThat(readAll(socket)).isEqualTo("reset");
            }
            assertThat(node.ended()).contains("LOOP");
        }

        @Test
        void aPodThatNobodyDescribesInTimeIsRefused() throws Exception {
            try (var socket = call(TARGET)) {
                assertThat(readAll(socket)).isEqualTo("reset");
            }
            assertThat(node.ended()).contains("UNKNOWN_SOURCE");
        }

        @Test
        void aPolicyThatDoesNotComeInTimeRefuses() throws Exception {
            node.describePod(DENY_ALL.key());
            try (var socket = call(TARGET)) {
                assertThat(readAll(socket)).isEqualTo("reset");
            }
            assertThat(node.ended()).contains("POLICY_UNKNOWN");
        }

        @Test
        void whatIsSaidEarlyReachesTheApplicationWithItsEnd() throws Exception {
            try (var socket = call(TARGET)) {
                socket.getOutputStream().write(ascii("early"));
                socket.shutdownOutput();
                node.describePod();
                try (var served = node.application.accept()) {
                    assertThat(readAll(served)).isEqualTo("early");
                    served.getOutputStream().write(ascii("answer"));
                }
                assertThat(readAll(socket)).isEqualTo("answer");
            }
            assertThat(node.ended()).contains("connection complete");
        }

        /// Hazard I16.
        @Test
        void aPolicyThatComesDuringTheDialCutsTheConnection() throws Exception {
            node.describePod();
            node.dialer.holding = true;
            try (var socket = call(TARGET)) {
                await(() -> node.dialer.dials.size() == 1);
                denyAll();
                assertThat(readAll(socket)).isEqualTo("reset");
            }
            assertThat(node.ended()).contains("POLICY_CHANGED");
            assertThat(node.dialer.dials.getFirst().isCancelled()).isTrue();
        }

        @Test
        void aCallerThatGivesUpCancelsTheDial() throws Exception {
            node.describePod();
            node.dialer.holding = true;
            var socket = call(TARGET);
            await(() -> node.dialer.dials.size() == 1);
            ConnectionFixture.reset(socket);

            assertThat(node.ended()).contains("GAVE_UP");
            assertThat(node.dialer.dials.getFirst().isCancelled()).isTrue();
        }

        @Test
        void anApplicationThatResetsResetsItsCaller() throws Exception {
            node.describePod();
            try (var socket = call(TARGET)) {
                var served = node.application.accept();
                socket.getOutputStream().write(42);
                assertThat(served.getInputStream().read()).as("joined").isEqualTo(42);
                ConnectionFixture.reset(served);
                assertThat(readAll(socket)).isEqualTo("reset");
            }
            assertThat(node.ended()).contains("RESET");
        }

        @Test
        void anApplicationThatDoesNotListenIsAReset() throws Exception {
            node.describePod();
            node.dialer.holding = true;
            try (var socket = call(TARGET)) {
                await(() -> node.dialer.dials.size() == 1);
                node.application.close();
                node.dialer.letGo(node.dialer.dials.getFirst());
                assertThat(readAll(socket)).isEqualTo("reset");
            }
            assertThat(node.ended()).contains("DIAL_FAILED", "Connection refused");
        }
    }

    @Nested
    class InATunnel {
        private final NotedAnswer stream = new NotedAnswer();

        private void connect(String authority) throws Exception {
            var peer = new SpiffeId("cluster.local", "shop", "web");
            var tunnel = new InboundTunnel(
                    node.pod, services, node.tunnel(), peer, address("10.0.0.7", 15008), address("10.0.0.8", 40000));
            node.onLoop(() -> {
                tunnel.onConnect(ConnectRequest.to(authority), stream);
                return null;
            });
        }

        @Test
        void aDeniedPeerIsAnswered401() throws Exception {
            denyAll();
            connect("10.0.0.7:8080");
            assertThat(node.ended()).contains("POLICY_DENIED");
            assertThat(stream.said).containsExactly("401");
        }

        @Test
        void aPodThatIsNotKnownIsAnswered503() throws Exception {
            connect("10.0.0.7:8080");
            assertThat(node.ended()).contains("UNKNOWN_WORKLOAD");
            assertThat(stream.said).containsExactly("503");
        }

        @Test
        void somebodyElsesAddressIsAnswered400() throws Exception {
            node.describePod();
            connect("10.0.0.8:8080");
            assertThat(node.ended()).contains("WRONG_DESTINATION");
            assertThat(stream.said).containsExactly("400");
        }

        @Test
        void aRefusalSaysWhichServiceWasMeant() throws Exception {
            node.publish(MeshDelta.builder()
                    .upsert(TestPods.service("cart", "10.96.0.1"))
                    .upsert(TestPods.workload("cart", "10.0.0.7")));
            connect("cart.shop.svc.cluster.local:81");
            assertThat(node.ended()).contains("NO_TARGET_PORT", "dst.service=\"cart.shop.svc.cluster.local\"");
            assertThat(stream.said).containsExactly("503");
        }

        @Test
        void aPolicyThatComesInTimeIsAsked() throws Exception {
            node.describePod(DENY_ALL.key());
            connect("10.0.0.7:8080");
            assertThat(node.registry.size()).isEqualTo(1);
            denyAll();
            assertThat(node.ended()).containsAnyOf("POLICY_DENIED", "POLICY_CHANGED");
            assertThat(stream.said).containsExactly("401");
        }

        /// Hazard I16.
        @Test
        void aPolicyThatComesDuringTheDialCutsTheConnection() throws Exception {
            node.describePod();
            node.dialer.holding = true;
            connect("10.0.0.7:8080");
            denyAll();
            assertThat(node.ended()).contains("POLICY_CHANGED");
            assertThat(stream.said).containsExactly("401");
            assertThat(node.dialer.dials.getFirst().isCancelled()).isTrue();
        }

        /// Hazard T3.
        @Test
        void aPeerThatGivesUpCancelsTheDial() throws Exception {
            node.describePod();
            node.dialer.holding = true;
            connect("10.0.0.7:8080");
            node.onLoop(() -> {
                stream.abandon();
                return null;
            });
            assertThat(node.ended()).contains("GAVE_UP");
            assertThat(node.dialer.dials.getFirst().isCancelled()).isTrue();
        }

        @Test
        void bytesAndEndsPassOnceTheApplicationHasTakenTheConnection() throws Exception {
            node.describePod();
            connect("10.0.0.7:8080");
            try (var served = node.application.accept()) {
                await(() -> stream.listener != null);
                node.onLoop(() -> {
                    stream.listener().onData(Unpooled.wrappedBuffer(ascii("question")));
                    stream.listener().onReadComplete();
                    stream.listener().onEndStream();
                    return null;
                });
                assertThat(readAll(served)).isEqualTo("question");
                served.getOutputStream().write(ascii("answer"));
            }
            await(() -> stream.said.contains("END"));
            node.onLoop(() -> {
                stream.listener().onFinished();
                return null;
            });
            assertThat(node.ended()).contains("connection complete");
            assertThat(String.join(" ", stream.said)).isEqualTo("200 answer END");
        }

        @Test
        void anApplicationThatResetsResetsTheStream() throws Exception {
            node.describePod();
            connect("10.0.0.7:8080");
            var served = node.application.accept();
            await(() -> stream.said.contains("200"));
            ConnectionFixture.reset(served);
            assertThat(node.ended()).contains("RESET");
            assertThat(stream.said).containsExactly("200", "RESET 10");
        }

        /// Hazards, rule 7: the application's connection is closed too.
        @Test
        void aBugWhileAnsweringEndsBothSidesAndIsCounted() throws Exception {
            node.describePod();
            stream.broken = true;
            connect("10.0.0.7:8080");
            try (var served = node.application.accept()) {
                served.setSoTimeout(10_000);
                assertThat(readAll(served)).isIn("", "reset");
            }
            assertThat(node.ended()).contains("BUG");
            assertThat(node.bugs()).isEqualTo(1);
            await(() -> !stream.said.isEmpty()); // the line is written before the answer
            assertThat(stream.said).containsExactly("503");
        }
    }

    /// A CONNECT whose answer is noted.
    private static final class NotedAnswer implements PendingStream, TunnelStream {
        private final List<String> said = new CopyOnWriteArrayList<>();
        private volatile TunnelStream.@Nullable Listener listener;
        private @Nullable Runnable whenAbandoned;
        private boolean broken;

        TunnelStream.Listener listener() {
            return Objects.requireNonNull(listener, "not answered yet");
        }

        void abandon() {
            if (whenAbandoned != null) {
                whenAbandoned.run();
            }
        }

        @Override
        public TunnelStream accept(ConnectResponse response, TunnelStream.Listener newListener) {
            if (broken) {
                throw new IllegalStateException("bug");
            }
            said.add("200");
            listener = newListener;
            return this;
        }

        @Override
        public void refuse(int status) {
            if (listener == null) {
                said.add(Integer.toString(status));
            }
        }

        @Override
        public void whenAbandoned(Runnable action) {
            whenAbandoned = action;
        }

        @Override
        public boolean isWaiting() {
            return said.isEmpty();
        }

        @Override
        public void write(ByteBuf data) {
            said.add(data.toString(StandardCharsets.US_ASCII));
            data.release();
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
