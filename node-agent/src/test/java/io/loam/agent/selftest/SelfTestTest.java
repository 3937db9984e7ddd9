package io.loam.agent.selftest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.agent.connections.ConnectionFixture;
import io.loam.agent.pod.TestPods;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.tls.HandshakeTerms;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.time.SystemTimer;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Without privileges, on loopback.
final class SelfTestTest {
    private final EventLoops loops = new EventLoops(2);
    private final Readiness readiness = new Readiness();
    private final AtomicInteger opened = new AtomicInteger();

    @AfterEach
    void endLoops() {
        loops.close();
    }

    private LoopbackMesh mesh() throws IOException {
        opened.incrementAndGet();
        return LoopbackMesh.open(
                loops,
                TestPods.SOCKETS,
                TunnelPoolConfig.DEFAULT,
                HboneConfig.DEFAULT,
                HandshakeTerms.DEFAULT,
                new SystemTimer(),
                () -> ThreadLocalRandom.current().nextLong());
    }

    @Test
    void isReadyWhenBytesCameBackThroughTunnels() throws Exception {
        try (var test = new SelfTest(this::mesh, readiness)) {
            assertThat(readiness.reply().body()).isEqualTo("not ready, pending: self-test\n");

            test.start();

            ConnectionFixture.await(readiness::isReady);
            assertThat(opened).hasValue(1);
        }
    }

    /// What keeps bytes from coming back is said by the proxies, of which either may be the last; the caller only sees
    /// a
    /// reset.
    @Test
    void staysUnreadyWithTheReasonWhileTheDataPathDoesNotWork() throws Exception {
        SelfTest.Opening broken = () -> {
            var mesh = mesh();
            if (opened.get() == 1) {
                mesh.breakPolicy();
            }
            return mesh;
        };
        try (var test = new SelfTest(broken, readiness)) {
            test.start();

            ConnectionFixture.await(() -> readiness.reply().body().contains("self-test: "));
            assertThat(readiness.reply().body())
                    .startsWith("not ready, pending: self-test: ")
                    .contains("bytes had not come back")
                    .containsAnyOf("401", "POLICY_DENIED");

            ConnectionFixture.await(readiness::isReady); // tried again, with a mesh that works
            assertThat(opened).hasValue(2);
        }
    }

    @Test
    void staysUnreadyWhenItCannotListen() throws Exception {
        SelfTest.Opening none = () -> {
            throw new IOException("cannot listen on 127.0.0.2: no such address");
        };
        try (var test = new SelfTest(none, readiness)) {
            test.start();

            ConnectionFixture.await(() -> readiness.reply().body().contains("no such address"));
            assertThat(readiness.isReady()).isFalse();
        }
    }

    @Test
    void loadEndsWhenItsTimeIsOver() throws Exception {
        try (var mesh = mesh()) {
            int done = new EchoLoad(mesh).run(new EchoLoad.Shape(4, 1, 100), Integer.MAX_VALUE, Duration.ofMillis(50));

            assertThat(done).isPositive();
        }
    }

    @Test
    void nobodyTakesConnectionsAfterTheEnd() throws Exception {
        LoopbackMesh closed;
        try (var mesh = mesh()) {
            closed = mesh;
        }

        assertThatThrownBy(() -> new EchoLoad(closed).run(new EchoLoad.Shape(1, 1, 1), 1, Duration.ofSeconds(1)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("refused");
    }
}
