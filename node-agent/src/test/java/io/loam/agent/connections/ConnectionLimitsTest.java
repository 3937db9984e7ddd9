package io.loam.agent.connections;

import static io.loam.agent.connections.ConnectionFixture.await;
import static io.loam.agent.connections.ConnectionFixture.readAll;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.pod.TestPods;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.config.LimitsConfig;
import io.loam.runtime.relay.ApplicationSocket;
import io.loam.runtime.relay.SocketRelay;
import io.netty.channel.socket.DuplexChannel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.net.InetSocketAddress;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Hazards, rule 6: the new one is refused and counted by workload, the old ones are kept.
@Timeout(60)
class ConnectionLimitsTest {
    /// Of which a pod gets three: one connection of two sockets and the first socket of another one.
    private static final int SOCKETS = 4;

    private ConnectionFixture node;

    @BeforeEach
    void start() throws Exception {
        node = new ConnectionFixture(SOCKETS);
    }

    @AfterEach
    void stop() throws Exception {
        node.close();
    }

    /// Goes straight to the application.
    private OpenConnection plaintext(DuplexChannel accepted, OpenConnection.Caller caller) {
        var target = new InetSocketAddress("10.0.0.7", 8080);
        var report =
                new ConnectionReport(node.telemetry, Direction.INBOUND, (InetSocketAddress) accepted.remoteAddress());
        var socket = ApplicationSocket.of(accepted);
        var connection = new OpenConnection(node.registry, node.pod, report, null, accepted.eventLoop(), caller);
        connection.begin(() -> connection.dial(node.dialer, target, null, dialled -> {
            var relay = SocketRelay.of(ApplicationSocket.of(dialled), socket, connection);
            connection.relay(relay);
            relay.start();
        }));
        return connection;
    }

    @Test
    void aConnectionMoreThanAPodMayHoldIsRefusedAndTheOldOneLives() throws Exception {
        try (var first = node.call(this::plaintext);
                var served = node.application.accept()) {
            try (var second = node.call(this::plaintext)) {
                assertThat(readAll(second)).isEqualTo("reset");
            }
            first.getOutputStream().write(42);
            assertThat(served.getInputStream().read()).isEqualTo(42);
            assertThat(node.refusals())
                    .containsExactly("{limit=\"workload_sockets\",namespace=\"shop\",service_account=\"cart\"} 1.0");
        }
        await(() -> node.registry.size() == 0);
        assertThat(node.pod.heldSockets().held()).isZero();

        try (var third = node.call(this::plaintext);
                var served = node.application.accept()) {
            third.getOutputStream().write(43);
            assertThat(served.getInputStream().read()).isEqualTo(43);
        }
    }

    @Test
    void whoGivesUpDuringItsDialGivesBackAllItHeld() throws Exception {
        node.dialer.holding = true;
        try (var first = node.call(this::plaintext)) {
            await(() -> node.pod.heldDials().held() == 1); // registered comes first, dialled a moment later
            ConnectionFixture.reset(first);
        }
        assertThat(node.ended()).contains("GAVE_UP");
        assertThat(node.pod.heldDials().held()).isZero();
        assertThat(node.pod.heldSockets().held()).isZero();
    }

    @Test
    void onePodCannotTakeWhatIsLeftForTheOthers() {
        var metrics = new PrometheusRegistry();
        var limits = new ConnectionLimits(new LimitsConfig(5, 3, 4, 2), metrics);
        var cart = TestPods.pod("cart");
        var web = TestPods.pod("web");
        for (int i = 0; i < 3; i++) {
            assertThat(limits.takeSocket(cart)).isTrue();
        }
        assertThat(limits.takeSocket(cart)).isFalse();
        assertThat(limits.takeSocket(web)).isTrue();
        assertThat(limits.takeSocket(web)).isTrue();
        assertThat(limits.takeSocket(web)).as("the node's limit").isFalse();
        limits.giveSocket(cart);
        assertThat(limits.takeSocket(web)).isTrue();

        assertThat(limits.takeDial(cart)).isTrue();
        assertThat(limits.takeDial(cart)).isTrue();
        assertThat(limits.takeDial(cart)).isFalse();
        limits.giveDial(cart);
        assertThat(limits.takeDial(cart)).isTrue();
        cart.release();
        web.release();
    }
}
