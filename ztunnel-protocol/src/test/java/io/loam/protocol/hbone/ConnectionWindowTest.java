package io.loam.protocol.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.Http2LocalFlowController;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// What peers may make us hold for applications that do not read (hazards T7 and T8). Peers send all that their
/// windows allow.
class ConnectionWindowTest {
    private static final int MIB = 1 << 20;
    private static final int BASE = ConnectionWindow.BASE_BYTES;
    private static final int WINDOW = HboneConfig.DEFAULT.connectionWindowBytes();
    private static final int STREAM_WINDOW = HboneConfig.DEFAULT.streamWindowBytes();

    private final List<Peer> peers = new ArrayList<>();

    @AfterEach
    void close() {
        peers.forEach(Peer::close);
    }

    @Test
    void beginsWithWhatHttpGivesAndGrowsToTheConfiguredSizeWithWhatIsTaken() {
        var budget = new ReceiveBudget(64 * MIB);
        var peer = tunnel(budget, 1);
        assertThat(peer.window()).isEqualTo(BASE);
        assertThat(budget.lentBytes()).isZero();

        peer.readers();
        peer.send(1, 17 * MIB);

        assertThat(peer.window()).isBetween(WINDOW / 2, WINDOW);
        assertThat(budget.lentBytes()).isEqualTo(WINDOW - BASE);
    }

    /// In the normal case the price is that of a window which never changes.
    @Test
    void isAnnouncedOnceForEachHalfOfIt() {
        var peer = tunnel(new ReceiveBudget(64 * MIB), 1);
        peer.readers();
        peer.send(1, 32 * MIB);
        peer.wire.listen();
        peer.wire.seen.clear();

        peer.send(1, 64 * MIB);
        peer.wire.listen();

        assertThat(peer.wire.seen.stream().filter(frame -> frame.startsWith("WINDOW 0 ")))
                .hasSize(64 * MIB / (WINDOW / 2));
    }

    /// A peer that is slow does not wait for credit.
    @Test
    void staysSmallWhereLittleIsTaken() {
        var budget = new ReceiveBudget(64 * MIB);
        var peer = tunnel(budget, 1);
        peer.readers();

        for (int second = 0; second < 300; second++) {
            peer.send(1, 32 << 10);
            peer.passMillis(1000);
        }

        assertThat(peer.taken).isEqualTo(300L * (32 << 10));
        assertThat(budget.lentBytes()).isZero();
    }

    /// Half of it lasts for more than two seconds.
    @Test
    void comesDownToWhatIsUsed() {
        var budget = new ReceiveBudget(64 * MIB);
        var peer = tunnel(budget, 1);
        peer.readers();
        peer.send(1, 32 * MIB);
        assertThat(budget.lentBytes()).isEqualTo(WINDOW - BASE);

        for (int second = 0; second < 120; second++) {
            peer.send(1, MIB / 2);
            peer.passMillis(1000);
        }

        assertThat(budget.lentBytes()).isBetween(MIB / 2L, 2L * MIB);
    }

    @Test
    void aQuietTunnelKeepsItsWindowAndOthersGrowMeanwhile() {
        var budget = new ReceiveBudget(32 * MIB);
        var peer = tunnel(budget, 1);
        peer.readers();
        peer.send(1, 32 * MIB);
        peer.passMillis(30_000);
        assertThat(budget.lentBytes()).isZero();

        var other = tunnel(budget, 1);
        other.readers();
        other.send(1, 32 * MIB);
        assertThat(budget.lentBytes()).isEqualTo(WINDOW - BASE);

        peer.send(1, 32 * MIB);
        assertThat(budget.lentBytes()).isEqualTo(2L * (WINDOW - BASE));
        assertThat(peer.window()).isBetween(WINDOW / 2, WINDOW);
    }

    /// What was advertised cannot be taken back, and a program that stops reading just then makes it count.
    @Test
    void whatAQuietTunnelWasGivenCountsAgainOnceItIsHeld() {
        var budget = new ReceiveBudget(64 * MIB);
        var peer = tunnel(budget, 4);
        peer.readers();
        peer.send(1, 32 * MIB);
        peer.passMillis(30_000);
        assertThat(budget.lentBytes()).isZero();

        peer.stopReading();
        peer.fillAll();

        assertThat(budget.lentBytes()).isGreaterThanOrEqualTo(peer.held() + peer.window() - BASE);
        assertThat(peer.held()).isBetween(WINDOW / 2L, (long) WINDOW);
    }

    /// Quiet ones that all wake up at once may have been given more than there is.
    @Test
    void windowsComeDownWhileTheBudgetIsOverdrawn() {
        var budget = new ReceiveBudget(32 * MIB);
        for (int tunnel = 0; tunnel < 4; tunnel++) {
            var peer = tunnel(budget, 1);
            peer.readers();
            peer.send(1, 32 * MIB);
            peer.passMillis(30_000);
        }

        for (int round = 0; round < 32; round++) {
            peers.forEach(peer -> peer.send(1, MIB));
        }

        assertThat(budget.lentBytes()).isBetween(16L * MIB, 32L * MIB);
    }

    /// Hazard T7: the one that does not read holds its own window and leaves the others one.
    @Test
    void aStreamThatNobodyReadsDoesNotStopTheOthersOfItsTunnel() {
        var peer = tunnel(ReceiveBudget.unlimited(), 2);
        peer.fill(1);
        assertThat(peer.held()).isEqualTo(STREAM_WINDOW);

        peer.reads(3);
        peer.send(3, 64L * MIB);

        assertThat(peer.taken).isEqualTo(64L * MIB);
        assertThat(peer.window()).isGreaterThanOrEqualTo(STREAM_WINDOW);
        assertThat(peer.held()).isEqualTo(STREAM_WINDOW);
    }

    /// The configured size is four windows of streams: with three of them held, what is left is announced
    /// before it is all on its way.
    @Test
    void threeStreamsThatNobodyReadsDoNotStopTheFourth() {
        var peer = tunnel(ReceiveBudget.unlimited(), 4);
        peer.fill(1);
        peer.fill(3);
        peer.fill(5);

        peer.reads(7);
        peer.send(7, 64L * MIB);

        assertThat(peer.taken).isEqualTo(64L * MIB);
        assertThat(peer.held()).isEqualTo(3L * STREAM_WINDOW);
    }

    /// Wherever the one that stops reading stops: what it took and was not announced yet counts, too.
    @Test
    void anApplicationThatStopsReadingAnywhereDoesNotStopTheOthers() {
        for (int limitMib : new int[] {1, 64}) {
            for (int taken = 0; taken < MIB; taken += 40 << 10) {
                var peer = tunnel(new ReceiveBudget((long) limitMib * MIB), 2);
                peer.reads(1);
                peer.send(1, taken);
                peer.stopReading();
                peer.send(1, limitMib * MIB / 20);

                peer.reads(3);
                peer.send(3, 2 * MIB);

                assertThat(peer.taken).as("stopped after %d bytes", taken).isEqualTo(taken + 2L * MIB);
                peer.end();
            }
        }
    }

    /// Hazard T8, also by peers whose applications had read well before they stopped.
    @Test
    void allTunnelsTogetherHoldNoMoreThanTheBudgetWhenNobodyReads() {
        var budget = new ReceiveBudget(8 * MIB);
        for (int tunnel = 0; tunnel < 8; tunnel++) {
            var peer = tunnel(budget, 5);
            peer.readers();
            peer.send(1, 8 * MIB);
            peer.stopReading();
        }

        peers.forEach(Peer::fillAll);

        long held = peers.stream().mapToLong(Peer::held).sum();
        assertThat(held).isBetween(6L * MIB, 8L * MIB + 8L * BASE);
        assertThat(budget.lentBytes()).isLessThanOrEqualTo(8L * MIB);

        var late = tunnel(budget, 1);
        late.readers();
        late.send(1, MIB);
        assertThat(late.taken).as("of a tunnel that came when all was lent").isEqualTo(MIB);
    }

    @Test
    void stoppedReadersLeaveAQuarterToThoseWhoRead() {
        var budget = new ReceiveBudget(16 * MIB);
        for (int tunnel = 0; tunnel < 10; tunnel++) {
            tunnel(budget, 5).fillAll();
        }
        assertThat(budget.lentBytes()).isBetween(8L * MIB, 12L * MIB);

        var reader = tunnel(budget, 1);
        reader.readers();
        reader.send(1, 16 * MIB);

        assertThat(reader.window()).isBetween(MIB / 2, 2 * MIB);
    }

    /// It asks again with whatever comes next: the answer to a PING, if nothing else does.
    @Test
    void whoWasRefusedGrowsWhenOthersGiveBack() {
        var budget = new ReceiveBudget(8 * MIB);
        var first = tunnel(budget, 2);
        first.fillAll();
        var second = tunnel(budget, 2);
        second.fillAll();
        long before = second.held();
        assertThat(second.window()).isZero();

        first.end();
        second.passMillis(30_000);
        second.fillAll();

        assertThat(second.held()).isGreaterThan(before);
        assertThat(budget.lentBytes()).isLessThanOrEqualTo(6L * MIB);
    }

    @Test
    void whatWasHeldIsPaidBackWhenItIsTaken() {
        var budget = new ReceiveBudget(64 * MIB);
        var peer = tunnel(budget, 4);
        peer.fillAll();
        assertThat(budget.lentBytes()).isEqualTo(WINDOW - BASE);

        peer.readers();
        peer.passMillis(30_000);

        assertThat(peer.held()).isZero();
        assertThat(budget.lentBytes()).isZero();
    }

    @Test
    void aStoppedStreamThatIsResetGivesBackWhatItHeld() {
        var budget = new ReceiveBudget(64 * MIB);
        var peer = tunnel(budget, 2);
        peer.fill(1);
        peer.fill(3);
        assertThat(budget.lentBytes()).isGreaterThanOrEqualTo(2L * STREAM_WINDOW - BASE);

        peer.wire.reset(1, 8);
        peer.wire.reset(3, 8);
        assertThat(peer.held()).isZero();
        peer.passMillis(30_000);

        assertThat(budget.lentBytes()).isZero();
    }

    @Test
    void aTunnelThatEndsGivesEverythingBack() {
        var budget = new ReceiveBudget(8 * MIB);
        var peer = tunnel(budget, 2);
        peer.fillAll();
        var other = tunnel(budget, 2);
        other.readers();
        other.send(1, 8 * MIB);

        other.end();
        peer.end();

        assertThat(budget.lentBytes()).isZero();
    }

    /// A peer that is done with both its streams may be credited late: the tunnel is gone by then.
    @Test
    void creditAfterTheEndBorrowsNothing() {
        var budget = new ReceiveBudget(8 * MIB);
        var peer = tunnel(budget, 2);
        peer.fillAll();

        peer.end();
        peer.readers();

        assertThat(budget.lentBytes()).isZero();
    }

    private Peer tunnel(ReceiveBudget budget, int streams) {
        var peer = new Peer(budget, streams);
        peers.add(peer);
        return peer;
    }

    /// A peer that has opened streams 1, 3, 5 and so on, and the applications behind them.
    private static final class Peer {
        private static final String CHUNK = "x".repeat(16 << 10);

        private final List<Application> applications = new ArrayList<>();
        private final HboneServerHandler server;
        private final RawPeer wire;
        long taken;

        Peer(ReceiveBudget budget, int streams) {
            server = HboneServerHandler.create(HboneConfig.DEFAULT, budget, (_, pending) -> {
                var application = new Application();
                applications.add(application);
                application.stream = pending.accept(ConnectResponse.PLAIN, application);
            });
            wire = RawPeer.clientOf(server);
            wire.tunnel.freezeTime();
            for (int i = 0; i < streams; i++) {
                wire.connect(1 + 2 * i);
            }
        }

        private Http2LocalFlowController flow() {
            return server.connection().local().flowController();
        }

        int window() {
            return flow().windowSize(server.connection().connectionStream());
        }

        long held() {
            return flow().unconsumedBytes(server.connection().connectionStream());
        }

        void reads(int stream) {
            applications.get(stream / 2).read();
        }

        void readers() {
            applications.forEach(Application::read);
        }

        void stopReading() {
            applications.forEach(application -> application.reading = false);
        }

        void fillAll() {
            for (int i = 0; i < applications.size(); i++) {
                fill(1 + 2 * i);
            }
        }

        /// As much as the windows allow.
        void fill(int stream) {
            send(stream, Long.MAX_VALUE);
        }

        void send(int stream, long most) {
            long left = most;
            for (int next = allowed(stream, left); next > 0; next = allowed(stream, left)) {
                wire.bytes(WireFrames.data(stream, 0, CHUNK.substring(0, next)));
                left -= next;
            }
        }

        private int allowed(int stream, long left) {
            int windows = Math.min(window(), flow().windowSize(server.connection().stream(stream)));
            return (int) Math.min(Math.min(windows, CHUNK.length()), left);
        }

        /// The peer's keepalive is answered, so that time does not end the tunnel.
        void passMillis(long millis) {
            for (long left = millis; left > 0; left -= 1000) {
                wire.tunnel.advanceTimeBy(Math.min(left, 1000), TimeUnit.MILLISECONDS);
                wire.tunnel.runScheduledPendingTasks();
                wire.listen();
                if (wire.seen.removeIf(frame -> frame.startsWith("PING"))) {
                    wire.bytes(WireFrames.frame(WireFrames.PING, WireFrames.ACK, 0, Unpooled.copyLong(0)));
                }
            }
        }

        void end() {
            var _ = wire.tunnel.close();
        }

        void close() {
            wire.close();
        }

        private final class Application extends Silent {
            private @Nullable TunnelStream stream;
            private boolean reading;
            private int owed;

            void read() {
                reading = true;
                onReadComplete();
                wire.listen();
            }

            @Override
            public void onData(ByteBuf data) {
                owed += data.readableBytes();
                data.release();
            }

            @Override
            public void onReadComplete() {
                if (reading) {
                    taken += owed;
                    Objects.requireNonNull(stream).credit(owed);
                    owed = 0;
                }
            }
        }
    }

    private abstract static class Silent implements TunnelStream.Listener {
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
        public void onBug(Throwable cause) {
            throw new AssertionError(cause);
        }
    }
}
