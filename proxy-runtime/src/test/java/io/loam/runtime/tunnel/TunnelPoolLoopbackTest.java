package io.loam.runtime.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.hbone.ConnectFailure;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.HboneServerHandler;
import io.loam.protocol.hbone.PendingConnect;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.netty.buffer.ByteBuf;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The pool against a real server over real TLS. The server answers 200 by itself; no bytes are of interest here.
@Timeout(40)
class TunnelPoolLoopbackTest {
    private LoopbackMesh mesh;

    @BeforeEach
    void start() throws Exception {
        mesh = new LoopbackMesh();
        acceptEverything(mesh);
    }

    @AfterEach
    void stop() {
        mesh.close();
    }

    private static void acceptEverything(LoopbackMesh mesh) {
        mesh.verdicts((request, pending) -> pending.accept(ConnectResponse.PLAIN, new Discard()));
    }

    private static final class Discard implements TunnelStream.Listener {
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

    private record Opened(Tunnel tunnel, TunnelStream stream) {}

    /// What came of one checkout.
    private static final class Outcome extends CompletableFuture<Opened> implements PooledOpening {
        @Override
        public TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream stream, ConnectResponse response) {
            complete(new Opened(tunnel, stream));
            return new Discard();
        }

        @Override
        public void onFailed(OpenFailure failure) {
            completeExceptionally(new Refused(failure));
        }

        @Override
        public void onBug(Throwable cause) {
            completeExceptionally(cause);
        }
    }

    private static final class Refused extends Exception {
        private final transient OpenFailure failure;

        Refused(OpenFailure failure) {
            super(failure.reason());
            this.failure = failure;
        }
    }

    private Outcome open(TunnelKey key) {
        var outcome = new Outcome();
        mesh.clientLoop().execute(() -> mesh.pool().open(key, ConnectRequest.to("10.0.0.7:8080"), outcome));
        return outcome;
    }

    private List<Outcome> open(int count, TunnelKey key) {
        var outcomes = new ArrayList<Outcome>();
        for (int i = 0; i < count; i++) {
            outcomes.add(new Outcome());
        }
        mesh.clientLoop()
                .execute(() -> outcomes.forEach(
                        outcome -> mesh.pool().open(key, ConnectRequest.to("10.0.0.7:8080"), outcome)));
        return outcomes;
    }

    private static Opened get(Outcome outcome) throws Exception {
        return outcome.get(10, TimeUnit.SECONDS);
    }

    private static OpenFailure failureOf(Outcome outcome) throws Exception {
        return outcome.handle((opened, failed) -> failed instanceof Refused refused ? refused.failure : null)
                .get(10, TimeUnit.SECONDS);
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("condition did not come true within 10 s");
            }
            TimeUnit.MILLISECONDS.sleep(2);
        }
    }

    /// Hazards T15 and T16: never more streams than allowed, never more than one handshake at a time.
    @Test
    void aThousandConnectionsToAColdPeerShareTenTunnels() throws Exception {
        var outcomes = open(1000, mesh.key());

        var tunnels = new HashMap<Tunnel, Integer>();
        for (var outcome : outcomes) {
            tunnels.merge(get(outcome).tunnel(), 1, Integer::sum);
        }

        assertThat(tunnels.values()).containsOnly(100).hasSize(10);
        assertThat(mesh.handshakes).hasValue(10);
    }

    /// Hazard P1: what was accepted before the process drains is served, wherever it was on its way.
    @Test
    void aDrainingPoolServesWhoWaitsAndWhoComesLateAndKeepsNoTunnel() throws Exception {
        var waiting = new Outcome();
        mesh.clientLoop().execute(() -> {
            var _ = mesh.pool().open(mesh.key(), ConnectRequest.to("10.0.0.7:8080"), waiting);
            mesh.pool().drain();
        });

        var waited = get(waiting);
        var late = get(open(mesh.key()));

        assertThat(late.tunnel()).isNotSameAs(waited.tunnel());
        mesh.clientLoop().execute(() -> {
            waited.stream().reset(8);
            late.stream().reset(8);
        });
        await(() ->
                !waited.tunnel().channel().isOpen() && !late.tunnel().channel().isOpen());
    }

    @Test
    void aStreamThatEndsMakesRoomForAnother() throws Exception {
        var first = open(100, mesh.key());
        for (var outcome : first) {
            get(outcome);
        }

        var stream = get(first.getFirst()).stream();
        mesh.clientLoop().execute(() -> stream.reset(8));
        await(() -> {
            try {
                return mesh.onClientLoop(() -> get(first.getLast()).tunnel().activeStreams()) == 99;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });

        get(open(mesh.key()));
        assertThat(mesh.handshakes).hasValue(1);
    }

    @Test
    void thePeersLimitIsKept() throws Exception {
        mesh.close();
        var limited = new HboneConfig(
                4 << 20, 16 << 20, 64 << 10, 7, 16 << 10, Duration.ofSeconds(10), Duration.ofSeconds(18));
        mesh = new LoopbackMesh(limited, TunnelPoolConfig.DEFAULT);
        acceptEverything(mesh);

        var tunnels = new HashMap<Tunnel, Integer>();
        for (var outcome : open(21, mesh.key())) {
            tunnels.merge(get(outcome).tunnel(), 1, Integer::sum);
        }

        assertThat(tunnels.values()).containsExactly(7, 7, 7);
    }

    /// Hazard T18: each component of the key tells two tunnels apart.
    @Test
    void noTwoKeysShareATunnel() throws Exception {
        var other = TestCertificates.id("other");
        var both = mesh.listenInbound(mesh.certificates().tls(LoopbackMesh.SERVER));
        var base = mesh.key();
        var keys = List.of(
                base,
                new TunnelKey(other, base.sourceAddress(), base.destinations(), base.destination()),
                new TunnelKey(
                        base.source(), InetAddress.getByName("127.0.0.9"), base.destinations(), base.destination()),
                new TunnelKey(
                        base.source(), base.sourceAddress(), Set.of(LoopbackMesh.SERVER, other), base.destination()),
                new TunnelKey(base.source(), base.sourceAddress(), base.destinations(), (InetSocketAddress)
                        both.localAddress()));

        var tunnels = new HashSet<Tunnel>();
        for (int round = 0; round < 3; round++) {
            for (var key : keys) {
                tunnels.add(get(open(key)).tunnel());
            }
        }

        assertThat(tunnels).hasSize(keys.size());
        assertThat(mesh.handshakes).hasValue(keys.size());
    }

    /// Hazard T18, hash collisions forced: keys are compared in full.
    @Test
    void keysWithOneHashShareNoTunnel() throws Exception {
        var base = mesh.key();
        var keys = Stream.of("AaAa", "AaBB", "BBAa", "BBBB") // String.hashCode is the same for all four
                .map(account -> new TunnelKey(
                        TestCertificates.id(account), base.sourceAddress(), base.destinations(), base.destination()))
                .toList();
        assertThat(keys.stream().map(TunnelKey::hashCode).distinct()).hasSize(1);

        var tunnels = new HashMap<TunnelKey, Set<Tunnel>>();
        for (int round = 0; round < 25; round++) {
            for (var key : keys) {
                tunnels.computeIfAbsent(key, _ -> new HashSet<>())
                        .add(get(open(key)).tunnel());
            }
        }

        assertThat(tunnels.values()).allSatisfy(of -> assertThat(of).hasSize(1));
        assertThat(tunnels.values().stream().flatMap(Set::stream).distinct()).hasSize(keys.size());
        assertThat(mesh.handshakes).hasValue(keys.size());
    }

    @Test
    void aPeerWithAnotherIdentityIsRefusedToEverybodyWhoWaits() throws Exception {
        SpiffeId expected = TestCertificates.id("somebody-else");

        var outcomes = open(20, mesh.key(expected));

        for (var outcome : outcomes) {
            assertThat(failureOf(outcome)).isInstanceOf(OpenFailure.AnotherPeer.class);
        }
        assertThat(mesh.dials).hasValue(1);
    }

    @Test
    void aServerThatRefusesOurCertificateIsATlsRefusal() throws Exception {
        var strangers = new TestCertificates();
        var stranger = mesh.listenInbound(strangers.tls(LoopbackMesh.SERVER));
        var key = new TunnelKey(
                LoopbackMesh.CLIENT, InetAddress.getLoopbackAddress(), Set.of(LoopbackMesh.SERVER), (InetSocketAddress)
                        stranger.localAddress());

        assertThat(failureOf(open(key))).isInstanceOf(OpenFailure.TlsRefused.class);
    }

    @Test
    void aClosedPortIsAFailedDial() throws Exception {
        int port;
        try (var socket = new ServerSocket(0)) {
            port = socket.getLocalPort();
        }
        var key = new TunnelKey(
                LoopbackMesh.CLIENT,
                InetAddress.getLoopbackAddress(),
                Set.of(LoopbackMesh.SERVER),
                new InetSocketAddress(InetAddress.getLoopbackAddress(), port));

        assertThat(failureOf(open(key))).isInstanceOf(OpenFailure.DialFailed.class);
    }

    @Test
    void aPeerThatNeverAnswersTheHandshakeTimesOut() throws Exception {
        mesh.close();
        mesh = new LoopbackMesh(
                HboneConfig.DEFAULT, new TunnelPoolConfig(100, 2048, Duration.ofMillis(300), Duration.ofMinutes(5)));
        try (var silent = new ServerSocket(0, 16, InetAddress.getLoopbackAddress())) {
            var key = new TunnelKey(
                    LoopbackMesh.CLIENT,
                    InetAddress.getLoopbackAddress(),
                    Set.of(LoopbackMesh.SERVER),
                    (InetSocketAddress) silent.getLocalSocketAddress());

            assertThat(failureOf(open(key))).isEqualTo(new OpenFailure.TimedOut("TLS handshake", 300));
        }
    }

    @Test
    void aRefusalByStatusReachesTheCaller() throws Exception {
        mesh.verdicts((request, pending) -> pending.refuse(401));

        assertThat(failureOf(open(mesh.key())))
                .isEqualTo(new OpenFailure.ConnectFailed(new ConnectFailure.RefusedStatus(401)));
    }

    @Test
    void whoComesToAFullQueueIsRefused() throws Exception {
        mesh.close();
        mesh = new LoopbackMesh(
                HboneConfig.DEFAULT, new TunnelPoolConfig(1, 3, Duration.ofSeconds(10), Duration.ofMinutes(5)));
        acceptEverything(mesh);

        var outcomes = open(5, mesh.key());

        assertThat(failureOf(outcomes.get(3))).isEqualTo(new OpenFailure.TooManyWaiting(3));
        assertThat(failureOf(outcomes.get(4))).isEqualTo(new OpenFailure.TooManyWaiting(3));
        for (var outcome : outcomes.subList(0, 3)) {
            get(outcome);
        }
    }

    /// Hazard T17: a draining peer fails nobody.
    @Test
    void aDrainingPeerKeepsItsStreamsAndGetsNoNewOnes() throws Exception {
        var before = get(open(mesh.key()));

        mesh.inboundTunnels.getFirst().channel().eventLoop().execute(mesh.inboundTunnels.getFirst()::drain);
        var during = open(50, mesh.key());
        for (var outcome : during) {
            get(outcome);
        }
        await(() -> before.tunnel().isDraining());
        var after = get(open(mesh.key()));

        System.out.println("hazard T17: GOAWAY with a stream open, 0 of " + during.size()
                + " connections of the same moment failed");
        assertThat(after.tunnel()).isNotSameAs(before.tunnel());
        assertThat(mesh.onClientLoop(() -> before.stream().isWritable())).isTrue();
    }

    @Test
    void aRetiredTunnelKeepsItsStreamsAndNewOnesGetANewTunnel() throws Exception {
        var before = get(open(mesh.key()));

        mesh.clientLoop().execute(mesh.pool()::retire);
        var during = open(50, mesh.key());

        for (var outcome : during) {
            assertThat(get(outcome).tunnel()).isNotSameAs(before.tunnel());
        }
        assertThat(mesh.onClientLoop(() -> before.stream().isWritable())).isTrue();
    }

    @Test
    void aTunnelWithoutStreamsIsReleased() throws Exception {
        mesh.close();
        mesh = new LoopbackMesh(
                HboneConfig.DEFAULT, new TunnelPoolConfig(100, 2048, Duration.ofSeconds(10), Duration.ofMillis(200)));
        acceptEverything(mesh);
        var opened = get(open(mesh.key()));

        mesh.clientLoop().execute(() -> opened.stream().reset(8));

        await(() -> {
            try {
                return mesh.onClientLoop(() -> mesh.pool().tunnels()) == 0;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
    }

    @Test
    void aCancelledCheckoutHearsNothingAndTellsTheServer() throws Exception {
        var abandoned = new CompletableFuture<Void>();
        var asked = new CompletableFuture<Void>();
        mesh.verdicts((request, pending) -> {
            pending.whenAbandoned(() -> abandoned.complete(null));
            asked.complete(null);
        });
        var outcome = new Outcome();
        PendingConnect pending =
                mesh.onClientLoop(() -> mesh.pool().open(mesh.key(), ConnectRequest.to("10.0.0.7:80"), outcome));
        asked.get(10, TimeUnit.SECONDS);

        mesh.clientLoop().execute(pending::cancel);

        abandoned.get(10, TimeUnit.SECONDS);
        assertThat(outcome).isNotDone();
    }

    @Test
    void aServerThatClosesItsTunnelIsDialledAgain() throws Exception {
        var first = get(open(mesh.key()));
        HboneServerHandler inbound = mesh.inboundTunnels.getFirst();

        inbound.channel().eventLoop().execute(inbound::close);
        await(() -> first.tunnel().isDraining());
        var second = get(open(mesh.key()));

        assertThat(second.tunnel()).isNotSameAs(first.tunnel());
    }

    /// Whoever waited for an answer on the only tunnel when it was lost asks on a new one. That one belongs to the pool
    /// like any other: it is shared, and a pool that closes takes it along.
    @Test
    void theTunnelThatReplacesALostOneBelongsToThePool() throws Exception {
        var asked = new CompletableFuture<Void>();
        mesh.verdicts((request, pending) -> asked.complete(null));
        var outcome = open(mesh.key());
        asked.get(10, TimeUnit.SECONDS);
        acceptEverything(mesh);
        HboneServerHandler lost = mesh.inboundTunnels.getFirst();

        lost.channel().eventLoop().execute(() -> {
            var _ = lost.channel().close();
        });
        var replaced = get(outcome);

        assertThat(mesh.onClientLoop(() -> mesh.pool().tunnels())).isOne();
        assertThat(get(open(mesh.key())).tunnel()).isSameAs(replaced.tunnel());
        mesh.clientLoop().execute(mesh.pool()::close);
        await(() -> !replaced.tunnel().channel().isOpen());
    }
}
