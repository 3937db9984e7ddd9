package io.loam.runtime.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.protocol.hbone.ConnectFailure.TunnelLost;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.PendingConnect;
import io.loam.protocol.hbone.ReceiveBudget;
import io.loam.protocol.hbone.StreamOpening;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.netty.channel.Channel;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.Future;
import java.lang.reflect.Proxy;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Who waits for a tunnel, for which dial and how long. Time is moved by hand, dials end as each case says.
class WaitingForDialsTest {
    private static final int LIMIT_MILLIS = 10_000;
    private static final TunnelKey KEY = key(15008);

    private final EmbeddedChannel loop = new EmbeddedChannel();
    private final ArrayDeque<Fate> fates = new ArrayDeque<>();
    private final List<ScriptedDial> dials = new ArrayList<>();
    private final List<Waiter> waiters = new ArrayList<>();
    private final long began;
    private TunnelPool pool;

    WaitingForDialsTest() {
        loop.freezeTime();
        began = loop.eventLoop().ticker().nanoTime();
        pool = pool(100, 2048);
    }

    @AfterEach
    void nothingIsLeft() {
        advance(LIMIT_MILLIS);
        pool.close();
        assertThat(pool.peers()).isZero();
        assertThat(loop.runScheduledPendingTasks()).as("ns to the next timer").isEqualTo(-1);
        var _ = loop.close();
    }

    private static TunnelKey key(int port) {
        return new TunnelKey(
                TestCertificates.id("client"),
                InetAddress.ofLiteral("127.0.0.1"),
                Set.of(TestCertificates.id("server")),
                new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port));
    }

    private TunnelPool pool(int streamsPerTunnel, int maxWaiting) {
        var config = new TunnelPoolConfig(
                streamsPerTunnel, maxWaiting, Duration.ofMillis(LIMIT_MILLIS), Duration.ofMinutes(5));
        return new TunnelPool(
                new PoolParts(
                        loop.eventLoop(),
                        _ -> {
                            throw new AssertionError("no socket is opened here");
                        },
                        (_, _) -> {
                            throw new AssertionError("no handshake is made here");
                        },
                        config,
                        HboneConfig.DEFAULT,
                        ReceiveBudget.unlimited()),
                (_, _, owner) -> {
                    var dial = new ScriptedDial(owner, fates.isEmpty() ? Fate.SILENT : fates.removeFirst());
                    dials.add(dial);
                    return dial;
                });
    }

    private long nowMillis() {
        return TimeUnit.NANOSECONDS.toMillis(loop.eventLoop().ticker().nanoTime() - began);
    }

    private void advance(long millis) {
        for (long i = 0; i < millis; i++) { // each timer in its own millisecond
            loop.advanceTimeBy(1, TimeUnit.MILLISECONDS);
            loop.runScheduledPendingTasks();
            loop.runPendingTasks();
        }
    }

    private Waiter come() {
        return come(KEY);
    }

    private Waiter come(TunnelKey key) {
        var waiter = new Waiter();
        waiters.add(waiter);
        waiter.pending = pool.open(key, ConnectRequest.to("10.0.0.7:8080"), waiter);
        loop.runPendingTasks();
        return waiter;
    }

    /// How a dial ends, and after how long.
    record Fate(End end, long afterMillis) {
        enum End {
            MADE,
            /// Made, and gone 12 s later without an answer to anybody.
            LOST,
            REFUSED,
            SILENT
        }

        static final Fate SILENT = new Fate(End.SILENT, LIMIT_MILLIS);

        static Fate made(long afterMillis) {
            return new Fate(End.MADE, afterMillis);
        }

        static Fate lost(long afterMillis) {
            return new Fate(End.LOST, afterMillis);
        }

        static Fate refused(long afterMillis) {
            return new Fate(End.REFUSED, afterMillis);
        }
    }

    private final class ScriptedDial implements RunningDial {
        private final PeerTunnels owner;
        private final Fate fate;
        private @Nullable Future<?> end;
        private boolean running;

        ScriptedDial(PeerTunnels owner, Fate fate) {
            this.owner = owner;
            this.fate = fate;
        }

        @Override
        public void start() {
            assertThat(dials.stream().filter(dial -> dial.running && dial.owner == owner))
                    .as("other dials to this peer (hazard T16)")
                    .isEmpty();
            running = true;
            if (fate.afterMillis == 0) {
                end();
            } else {
                end = loop.eventLoop().schedule(this::end, fate.afterMillis, TimeUnit.MILLISECONDS);
            }
        }

        private void end() {
            running = false;
            switch (fate.end) {
                case MADE -> owner.onDialled(new ScriptedTunnel(false));
                case LOST -> owner.onDialled(new ScriptedTunnel(true));
                case REFUSED -> owner.onDialFailed(new OpenFailure.DialFailed(new ConnectException("refused")));
                case SILENT -> owner.onDialTimedOut();
            }
        }

        @Override
        public void cancel() {
            running = false;
            if (end != null) {
                end.cancel(false);
            }
        }

        @Override
        public String phase() {
            return "dial " + (dials.indexOf(this) + 1);
        }
    }

    /// Opens every stream at once, or none.
    private final class ScriptedTunnel implements Tunnel {
        private final boolean isLost;
        private final EmbeddedChannel channel = new EmbeddedChannel();
        private int active;
        private boolean draining;

        ScriptedTunnel(boolean isLost) {
            this.isLost = isLost;
        }

        @Override
        public PendingConnect open(ConnectRequest request, StreamOpening opening) {
            active++;
            if (isLost) {
                var _ = loop.eventLoop()
                        .schedule(
                                () -> {
                                    close();
                                    opening.onFailed(new TunnelLost(null));
                                },
                                12_000,
                                TimeUnit.MILLISECONDS);
                return () -> {};
            }
            var _ = opening.onOpened(stream(), ConnectResponse.PLAIN);
            return () -> {};
        }

        @Override
        public int activeStreams() {
            return active;
        }

        @Override
        public int maxStreams() {
            return 100;
        }

        @Override
        public boolean isDraining() {
            return draining;
        }

        @Override
        public void drain() {
            draining = true;
        }

        @Override
        public void close() {
            draining = true;
            var _ = channel.close();
        }

        @Override
        public void closeRevoked() {
            close();
        }

        @Override
        public Channel channel() {
            return channel;
        }
    }

    private static TunnelStream stream() {
        return unused(TunnelStream.class);
    }

    private static <T> T unused(Class<T> type) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (_, method, _) -> {
            throw new AssertionError(method + " was called");
        }));
    }

    /// What came of one connection, as `MILLISECOND WHAT`.
    private final class Waiter implements PooledOpening {
        private @Nullable PendingConnect pending;
        private String end = "waits";
        private Runnable whenFailed = () -> {};

        private void giveUp() {
            Objects.requireNonNull(pending, "it has come").cancel();
        }

        private void end(String what) {
            assertThat(end).isEqualTo("waits");
            end = nowMillis() + " " + what;
        }

        @Override
        public TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream stream, ConnectResponse response) {
            end("opened");
            return unused(TunnelStream.Listener.class);
        }

        @Override
        public void onFailed(OpenFailure failure) {
            end(
                    switch (failure) {
                        case OpenFailure.TimedOut(var during, var limit) -> during + " over " + limit;
                        case OpenFailure.DialFailed _ -> "refused";
                        default -> failure.reason();
                    });
            whenFailed.run();
        }

        @Override
        public void onBug(Throwable cause) {
            throw new AssertionError(cause);
        }
    }

    /// @param arrivals in ms, in order
    /// @param ends what came of each arrival
    record Case(String name, int streamsPerTunnel, List<Fate> fates, List<Long> arrivals, List<String> ends) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static Case of(
            String name, int streamsPerTunnel, List<Fate> fates, List<Integer> arrivals, String... ends) {
        return new Case(
                name,
                streamsPerTunnel,
                fates,
                arrivals.stream().map(Integer::longValue).toList(),
                Arrays.asList(ends));
    }

    static Stream<Case> cases() {
        return Stream.of(
                of("alone before silence", 100, List.of(), List.of(0), "10000 dial 1 over 10000"),
                of(
                        "each has its own time, over as many dials as it lasts",
                        100,
                        List.of(),
                        List.of(0, 0, 1, 4_000, 9_999),
                        "10000 dial 1 over 10000",
                        "10000 dial 1 over 10000",
                        "10001 dial 2 over 10000",
                        "14000 dial 2 over 10000",
                        "19999 dial 2 over 10000"),
                of(
                        "who joined late is served by the next dial",
                        100,
                        List.of(Fate.SILENT, Fate.made(30)),
                        List.of(0, 9_000, 9_990),
                        "10000 dial 1 over 10000",
                        "10030 opened",
                        "10030 opened"),
                of(
                        "a next dial that takes too long for one is not too long for another",
                        100,
                        List.of(Fate.SILENT, Fate.made(5_000)),
                        List.of(0, 4_000, 6_000),
                        "10000 dial 1 over 10000",
                        "14000 dial 2 over 10000",
                        "15000 opened"),
                of(
                        "a refusal is shared by who came first and last",
                        100,
                        List.of(Fate.refused(9_000)),
                        List.of(0, 8_999),
                        "9000 refused",
                        "9000 refused"),
                of(
                        "a refusal of the next dial is that of who waits for it",
                        100,
                        List.of(Fate.SILENT, Fate.refused(20)),
                        List.of(0, 5_000, 5_000),
                        "10000 dial 1 over 10000",
                        "10020 refused",
                        "10020 refused"),
                of(
                        "time in which tunnels are made does not count",
                        1,
                        List.of(Fate.made(6_000), Fate.made(6_000), Fate.SILENT),
                        List.of(0, 0, 0),
                        "6000 opened",
                        "12000 opened",
                        "22000 dial 3 over 10000"),
                of(
                        "who asks again because a tunnel was lost has its time anew",
                        100,
                        List.of(Fate.lost(6_000), Fate.SILENT, Fate.made(3)),
                        List.of(0, 19_000),
                        "28000 dial 2 over 10000",
                        "28003 opened"),
                of(
                        "after silence the next who comes is dialled for at once",
                        100,
                        List.of(Fate.SILENT, Fate.made(1)),
                        List.of(0, 10_001),
                        "10000 dial 1 over 10000",
                        "10002 opened"));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void everybodyHasItsOwnTime(Case scripted) {
        fates.addAll(scripted.fates);
        pool = pool(scripted.streamsPerTunnel, 2048);

        for (long arrival : scripted.arrivals) {
            advance(arrival - nowMillis());
            come();
        }
        advance(3L * LIMIT_MILLIS);

        assertThat(waiters).extracting(waiter -> waiter.end).containsExactlyElementsOf(scripted.ends);
        assertThat(pool.waiting()).isZero();
    }

    /// Hazard T16 with a peer that says nothing: one dial after the other, however many come.
    @Test
    void aStormBeforeSilenceIsOneDialInTheTimeOfOne() {
        for (int i = 0; i < 1000; i++) {
            come();
            advance(20);
        }
        advance(LIMIT_MILLIS);

        assertThat(dials).hasSize(3);
        for (int i = 0; i < 1000; i++) {
            assertThat(waiters.get(i).end).startsWith(i * 20 + LIMIT_MILLIS + " dial ");
        }
    }

    @Test
    void whoGivesUpLeavesNothingAndTheDialEndsByItself() {
        var first = come();
        advance(5_000);
        var second = come();
        first.giveUp();
        advance(1_000);
        second.giveUp();

        assertThat(pool.waiting()).isZero();
        advance(4_000);

        assertThat(waiters).extracting(waiter -> waiter.end).containsOnly("waits");
        assertThat(dials).hasSize(1);
        assertThat(pool.peers()).isZero();
        assertThat(loop.runScheduledPendingTasks()).as("ns to the next timer").isEqualTo(-1);
    }

    @Test
    void whoFillsTheQueueIsHeldForItsOwnTimeOnly() {
        pool = pool(100, 2);
        come();
        advance(4_000);
        come();
        var refused = come();
        assertThat(refused.end).isEqualTo("4000 already 2 connections wait for a tunnel to this peer");

        advance(6_000);
        come(); // the place of the first
        advance(LIMIT_MILLIS);

        assertThat(waiters)
                .extracting(waiter -> waiter.end)
                .containsExactly(
                        "10000 dial 1 over 10000", "14000 dial 2 over 10000", refused.end, "20000 dial 2 over 10000");
    }

    /// The second is told by the first one's program that it is not wanted any more.
    @Test
    void whoIsGivenUpWhileOthersAreToldHearsNothing() {
        fates.add(Fate.refused(10));
        var first = come();
        var second = come();
        first.whenFailed = second::giveUp;
        advance(10);

        assertThat(first.end).isEqualTo("10 refused");
        assertThat(second.end).isEqualTo("waits");
    }

    /// As an outbound connection does whose peer was somebody else (hazard I12).
    @ParameterizedTest
    @MethodSource("refusals")
    void whoComesAgainWhenItIsToldIsServedByTheNextDial(Fate refusal) {
        fates.addAll(List.of(refusal, Fate.made(7)));
        var again = new Waiter();
        var first = new Waiter();
        first.whenFailed = () -> again.pending = pool.open(KEY, ConnectRequest.to("10.0.0.7:8080"), again);
        first.pending = pool.open(KEY, ConnectRequest.to("10.0.0.7:8080"), first);
        advance(LIMIT_MILLIS + 7);

        assertThat(again.end).isEqualTo(refusal.afterMillis + 7 + " opened");
    }

    static Stream<Fate> refusals() {
        return Stream.of(Fate.refused(0), Fate.refused(5), Fate.SILENT);
    }

    @Test
    void peersAreWaitedForApart() {
        fates.addAll(List.of(Fate.SILENT, Fate.made(5)));
        var silent = come(KEY);
        var other = come(key(15009));
        advance(LIMIT_MILLIS);

        assertThat(silent.end).isEqualTo("10000 dial 1 over 10000");
        assertThat(other.end).isEqualTo("5 opened");
    }

    @Test
    void aPoolThatClosesTellsWhoWaits() {
        var waiter = come();
        advance(1);
        pool.close();

        assertThat(waiter.end).isEqualTo("1 tunnel pool is closed");
        assertThat(dials.getFirst().running).isFalse();
    }
}
