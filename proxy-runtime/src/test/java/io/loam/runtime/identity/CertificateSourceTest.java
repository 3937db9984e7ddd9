package io.loam.runtime.identity;

import static io.loam.runtime.tunnel.TestCertificates.id;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.CertificateBundle;
import io.loam.protocol.tls.HandshakeTerms;
import io.loam.protocol.tls.MeshTls;
import io.loam.runtime.time.ManualTimer;
import io.loam.runtime.tunnel.TestCertificates;
import java.io.IOException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Wire reference, section 5, and hazards I7, I9, I10 and I11. Requests run when the test says so, time moves by hand.
class CertificateSourceTest {
    private static final Duration LIFE = Duration.ofHours(24);
    private static final SpiffeId CART = id("cart");

    private final ManualTimer timer = new ManualTimer();
    private final ArrayDeque<Runnable> requests = new ArrayDeque<>();
    private final List<SpiffeId> asked = new ArrayList<>();
    private final TestCertificates certificates;
    private double randomShare = 0.5; // the middle: no jitter
    private @Nullable String outage;
    private Duration life = LIFE;
    private List<X509Certificate> roots = List.of(); // the one that signs
    private CertificateSource source;

    CertificateSourceTest() throws Exception {
        certificates = new TestCertificates();
        source = source();
    }

    @BeforeEach
    void start() {
        source = source();
    }

    private CertificateSource source() {
        return new CertificateSource(this::certify, HandshakeTerms.DEFAULT, requests::add, timer, random());
    }

    private RandomGenerator random() {
        return new RandomGenerator() {
            @Override
            public long nextLong() {
                return 0;
            }

            @Override
            public double nextDouble() {
                return randomShare;
            }
        };
    }

    private CertificateBundle certify(SpiffeId identity) throws IOException {
        asked.add(identity);
        if (outage != null) {
            throw new IOException(outage);
        }
        try {
            var bundle = certificates.bundle(identity, timer.now(), timer.now().plus(life));
            return new CertificateBundle(
                    bundle.privateKey(), bundle.chain(), roots.isEmpty() ? bundle.roots() : roots, bundle.identity());
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static List<X509Certificate> roots(CertificateState state) {
        return Objects.requireNonNull(state.current()).roots();
    }

    /// Hazard I8: a new bundle is everywhere within seconds, not after half of a life, and open tunnels have nothing
    /// to do with it.
    @Test
    void whenRootsHaveChangedAllCertificatesAreRenewedWithinTenSecondsOneAfterTheOther() throws Exception {
        for (int i = 0; i < 10; i++) {
            randomShare = i / 10.0;
            source.prefetch(id("pod-" + i));
            runRequests();
        }
        asked.clear();
        roots = List.of(certificates.root(), new TestCertificates().root());

        for (int i = 0; i < 10; i++) {
            randomShare = i / 10.0;
            source.rootsChanged(); // as often as it is said
        }
        for (int second = 1; second <= 10; second++) {
            timer.advance(Duration.ofSeconds(1));
            runRequests();
        }

        assertThat(asked).hasSize(10).doesNotHaveDuplicates();
        assertThat(source.states()).allSatisfy(state -> assertThat(roots(state)).hasSize(2));
        asked.clear();
        timer.advance(Duration.ofHours(10));
        assertThat(requests).isEmpty();
    }

    @Test
    void anAnswerThatWasUnderWayWhenRootsChangedIsNotTheLast() {
        source.prefetch(CART);
        source.rootsChanged();
        runRequests();
        timer.advance(Duration.ofSeconds(10));
        runRequests();

        assertThat(asked).containsExactly(CART, CART);
        timer.advance(Duration.ofHours(10));
        assertThat(requests).isEmpty();
    }

    @Test
    void anAnswerWithOtherRootsHasTheOtherCertificatesRenewedOnceForEachSetOfRoots() throws Exception {
        var next = new TestCertificates().root();
        for (int i = 0; i < 3; i++) {
            source.prefetch(id("pod-" + i));
        }
        runRequests();
        asked.clear();

        roots = List.of(certificates.root(), next);
        source.prefetch(CART);
        runRequests();
        timer.advance(Duration.ofSeconds(10));
        runRequests();
        assertThat(asked).containsExactlyInAnyOrder(CART, id("pod-0"), id("pod-1"), id("pod-2"));

        roots = List.of(); // another CA of several, which has not heard of it
        source.prefetch(id("late"));
        runRequests();
        timer.advance(Duration.ofSeconds(10));
        assertThat(requests).isEmpty();
    }

    @Test
    void anOperatorCanHaveAllCertificatesRenewedAtOnce() {
        source.prefetch(CART);
        source.prefetch(id("web"));
        runRequests();
        asked.clear();

        assertThat(source.renewAll()).isEqualTo(2);
        timer.advance(Duration.ZERO);
        runRequests();

        assertThat(asked).containsExactlyInAnyOrder(CART, id("web"));
    }

    /// What fails is tried again with its pauses, as any other request.
    @Test
    void rootsThatChangeWhileTheCaIsAwayArriveWhenItIsBack() throws Exception {
        source.prefetch(CART);
        runRequests();
        outage = "away";
        roots = List.of(certificates.root(), new TestCertificates().root());
        source.rootsChanged();
        timer.advance(Duration.ofSeconds(10));
        runRequests();
        source.rootsChanged();
        outage = null;
        timer.advance(Duration.ofSeconds(2));
        runRequests();

        assertThat(source.states())
                .singleElement()
                .satisfies(state -> assertThat(roots(state)).hasSize(2));
    }

    @Test
    void manyConnectionsShareOneRequest() {
        var waiting = new ArrayList<CompletableFuture<MeshTls>>();
        for (int i = 0; i < 100; i++) {
            waiting.add(get(CART));
        }
        assertThat(requests).hasSize(1);

        runRequests();

        assertThat(asked).containsExactly(CART);
        assertThat(waiting)
                .allSatisfy(answer -> assertThat(answer)
                        .isCompletedWithValueMatching(tls -> tls.identity().equals(CART)));
        assertThat(get(CART).join()).isSameAs(waiting.getFirst().join());
    }

    /// An Error is a failure like others: with its place it would take one of the eight for good, and the
    /// identity would never be asked for again.
    @Test
    void aRequestThatEndsInAnErrorIsRepeatedAndGivesItsPlaceBack() {
        var broken = new CertificateSource(
                identity -> {
                    if (asked.size() < 9) {
                        asked.add(identity);
                        throw new NoClassDefFoundError("io/loam/Gone");
                    }
                    return certify(identity);
                },
                HandshakeTerms.DEFAULT,
                requests::add,
                timer,
                random());
        for (int i = 0; i < 8; i++) {
            broken.prefetch(id("pod-" + i));
        }
        var waiting = broken.get(CART).toCompletableFuture();
        runRequests();

        assertThat(broken.states())
                .hasSize(9)
                .allSatisfy(state ->
                        assertThat(state.lastError()).isEqualTo("java.lang.NoClassDefFoundError: io/loam/Gone"));
        timer.advance(Duration.ofSeconds(2));
        runRequests();
        assertThat(waiting).isCompletedWithValueMatching(tls -> tls.identity().equals(CART));
    }

    @Test
    void atMostEightRunAtOnceAndThoseThatConnectionsWaitForGoFirst() {
        for (int i = 0; i < 20; i++) {
            source.prefetch(id("pod-" + i));
        }
        assertThat(requests).hasSize(8);
        var _ = get(id("pod-19"));
        var _ = get(id("new"));

        requests.remove().run(); // pod-0
        requests.remove().run(); // pod-1
        while (requests.size() > 2) {
            requests.remove().run();
        }
        runRequests();

        assertThat(asked.subList(0, 10))
                .containsExactly(
                        id("pod-0"),
                        id("pod-1"),
                        id("pod-2"),
                        id("pod-3"),
                        id("pod-4"),
                        id("pod-5"),
                        id("pod-6"),
                        id("pod-7"),
                        id("pod-19"),
                        id("new"));
        assertThat(asked).hasSize(21).doesNotHaveDuplicates();
    }

    @Test
    void renewalsComeLast() {
        source.prefetch(CART);
        runRequests();
        for (int i = 0; i < 8; i++) {
            source.prefetch(id("busy-" + i));
        }
        timer.advance(LIFE.dividedBy(2)); // cart's renewal queues
        source.prefetch(id("joined"));
        var _ = get(id("waited-for"));
        asked.clear();

        runRequests();

        assertThat(asked.subList(8, 11)).containsExactly(id("waited-for"), id("joined"), CART);
    }

    @Test
    void aCertificateIsThereBeforeTheFirstConnection() {
        source.prefetch(CART);
        runRequests();

        assertThat(get(CART)).isCompleted();
        assertThat(asked).hasSize(1);
    }

    /// I7: half of the lifetime ± 10 %.
    @Test
    void isRenewedAtHalfOfItsLifeWithJitter() {
        for (var share : new double[] {0, 0.5, 1}) {
            var first = id("jitter-" + (int) (share * 10));
            randomShare = share;
            source.prefetch(first);
            runRequests();
            assertThat(timer.waiting()).containsExactly(Duration.ofMinutes((long) (24 * 60 * (0.45 + 0.1 * share))));
            source.forget(first);
        }
    }

    @Test
    void theNewOneReplacesTheOldOne() {
        source.prefetch(CART);
        runRequests();
        var old = get(CART).join();

        timer.advance(LIFE.dividedBy(2));
        assertThat(get(CART).join())
                .as("the old one serves while the request runs")
                .isSameAs(old);
        runRequests();

        assertThat(get(CART).join()).isNotSameAs(old);
        assertThat(timer.waiting()).as("one renewal").hasSize(1);
    }

    /// I9: pauses from 1 s, doubling, at most 100 s; I10: no certificate after its end.
    @Test
    void aCaThatIsAwayLeavesTheValidCertificateInUseUntilItEnds() {
        source.prefetch(CART);
        runRequests();
        outage = "CA away";
        timer.advance(LIFE.dividedBy(2));
        var pauses = new ArrayList<Long>();
        long attempts = 0;
        while (timer.now().isBefore(get(CART).join().notAfter().minusSeconds(200))) {
            runRequests();
            attempts++;
            var pause = timer.waiting().getFirst();
            pauses.add(pause.toSeconds());
            timer.advance(pause);
            assertThat(get(CART))
                    .isCompletedWithValueMatching(tls -> timer.now().isBefore(tls.notAfter()));
        }
        assertThat(pauses.subList(0, 10)).containsExactly(1L, 2L, 4L, 8L, 16L, 32L, 64L, 100L, 100L, 100L);

        timer.advance(Duration.ofSeconds(200));
        runRequests();
        assertThat(get(CART))
                .failsWithin(Duration.ZERO)
                .withThrowableThat()
                .havingCause()
                .isInstanceOf(CertificateUnavailableException.class)
                .withMessage("no certificate for " + CART + ": CA away");
        assertThat(source.states())
                .singleElement()
                .satisfies(state -> assertThat(state.lastError()).isEqualTo("CA away"));

        outage = null;
        var back = timer.waiting().getFirst();
        timer.advance(back);
        runRequests();
        assertThat(get(CART)).isCompletedWithValueMatching(tls -> timer.now().isBefore(tls.notAfter()));
        System.out.printf(
                "hazard I10: CA away for 12 h, %d attempts, 0 connections refused before the certificate's end, all"
                        + " after it with the CA's reason%n",
                attempts);
    }

    /// I9: CA away until the certificates have lived for 90 % of their time.
    @Test
    void allAreRenewedTwoMinutesAfterTheCaIsBackAndItIsNotFlooded() {
        var real = new SplittableRandom(9);
        source = new CertificateSource(this::certify, HandshakeTerms.DEFAULT, requests::add, timer, real);
        life = Duration.ofHours(2);
        var identities = IntStream.range(0, 60).mapToObj(i -> id("w" + i)).toList();
        identities.forEach(source::prefetch);
        runRequests();
        outage = "CA away";
        var away = timer.now().plus(life.multipliedBy(2).dividedBy(5));
        while (timer.now().isBefore(away.plus(life.dividedBy(2)))) {
            timer.advance(timer.waiting().getFirst());
            runRequests();
            assertThat(get(identities.get(real.nextInt(identities.size())))).isCompleted();
        }
        assertThat(asked).hasSizeGreaterThan(identities.size() * 30);

        outage = null;
        var returned = timer.now();
        int askedBefore = asked.size();
        int inTheFirstMinute = 0;
        while (source.states().stream().anyMatch(state -> state.lastError() != null)
                && timer.now().isBefore(returned.plus(Duration.ofMinutes(5)))) {
            timer.advance(Duration.ofSeconds(1));
            runRequests();
            if (!timer.now().isAfter(returned.plus(Duration.ofMinutes(1)))) {
                inTheFirstMinute = asked.size() - askedBefore;
            }
        }

        var renewedAfter = Duration.between(returned, timer.now());
        assertThat(renewedAfter).isLessThanOrEqualTo(Duration.ofMinutes(2));
        assertThat(inTheFirstMinute).isLessThanOrEqualTo(2 * identities.size());
        System.out.printf(
                "hazard I9: CA away for %d min, %d identities, 0 requests for certificates failed, all renewed %d s after"
                        + " its return, %d requests in the first minute%n",
                Duration.between(away, returned).toMinutes(),
                identities.size(),
                renewedAfter.toSeconds(),
                inTheFirstMinute);
    }

    @Test
    void thePausesOfSeveralIdentitiesDiffer() {
        outage = "CA away";
        randomShare = 0;
        source.prefetch(id("a"));
        runRequests();
        randomShare = 1;
        source.prefetch(id("b"));
        runRequests();

        assertThat(timer.waiting()).containsExactly(Duration.ofMillis(800), Duration.ofMillis(1_200));
    }

    /// A CA that has not heard of a pod yet refuses once or twice: connections outlast that.
    @Test
    void connectionsHearOfAFailureOnlyAfterTheThirdInARow() {
        outage = "not found on this node";
        var early = get(CART);
        runRequests();
        timer.advance(Duration.ofSeconds(1));
        runRequests();
        assertThat(early).isNotDone();

        timer.advance(Duration.ofSeconds(2));
        runRequests();

        assertThat(early).isCompletedExceptionally();
        assertThat(get(CART)).as("during the pause").isCompletedExceptionally();
        assertThat(requests).isEmpty();
    }

    /// Without a workload nobody renews: the next connection has to ask, or it is refused for ever.
    @Test
    void anIdentityWithoutWorkloadsIsAskedForAgainAfterItsPause() {
        outage = "CA away";
        var _ = get(CART);
        for (int i = 0; i < 3; i++) {
            runRequests();
            timer.advance(Duration.ofSeconds(4));
        }
        outage = null;

        var answer = get(CART);
        runRequests();

        assertThat(answer).isCompletedWithValueMatching(tls -> tls.identity().equals(CART));
    }

    @Test
    void oneThatArrivesForALateConnectionDoesNotStayForEver() {
        var _ = get(CART);
        runRequests();
        assertThat(source.states()).hasSize(1);

        timer.advance(LIFE.dividedBy(2));

        assertThat(source.states()).isEmpty();
        assertThat(timer.waiting()).isEmpty();
    }

    @Test
    void theLastWorkloadTakesTheCertificateWithIt() {
        source.prefetch(CART);
        source.prefetch(CART);
        runRequests();

        source.forget(CART);
        assertThat(source.states()).hasSize(1);
        source.forget(CART);

        assertThat(source.states()).isEmpty();
        assertThat(timer.waiting()).as("no renewal is left").isEmpty();
    }

    @Test
    void forgettingWhileTheRequestRunsAnswersTheWaitersAndKeepsNothing() {
        source.prefetch(CART);
        var answer = get(CART);

        source.forget(CART);
        runRequests();

        assertThat(answer).isCompletedWithValueMatching(tls -> tls.identity().equals(CART));
        assertThat(source.states()).isEmpty();
        assertThat(timer.waiting()).isEmpty();
    }

    @Test
    void forgettingWhatIsQueuedFailsTheWaitersAndAsksNobody() {
        for (int i = 0; i < 8; i++) {
            source.prefetch(id("busy-" + i));
        }
        source.prefetch(CART);
        var answer = get(CART);

        source.forget(CART);
        runRequests();

        assertThat(answer).isCompletedExceptionally();
        assertThat(asked).doesNotContain(CART);
    }

    @Test
    void aFailureAfterForgettingIsNotRetried() {
        outage = "CA away";
        source.prefetch(CART);
        var answer = get(CART);
        source.forget(CART);

        runRequests();

        assertThat(answer).isCompletedExceptionally();
        assertThat(timer.waiting()).isEmpty();
    }

    /// I11: the clock is set forward past the end. The certificate is replaced, and renewed once per life from then on.
    @Test
    void aJumpOfTheWallClockLeavesOneRenewal() {
        source.prefetch(CART);
        runRequests();

        timer.jump(LIFE.plusHours(1));
        var answer = get(CART);
        assertThat(answer).isNotDone();
        runRequests();

        assertThat(answer).isCompletedWithValueMatching(tls -> timer.now().isBefore(tls.notAfter()));
        assertThat(timer.waiting()).hasSize(1);
    }

    /// I11: a clock behind the CA's asks again, but never in a tight loop.
    @Test
    void aClockBehindTheCasAsksAgainEachSecond() {
        var ahead = new CertificateSource(
                identity -> {
                    try {
                        var begin = timer.now().plus(Duration.ofHours(1));
                        return certificates.bundle(identity, begin, begin.plus(LIFE));
                    } catch (Exception e) {
                        throw new AssertionError(e);
                    }
                },
                HandshakeTerms.DEFAULT,
                requests::add,
                timer,
                RandomGenerator.getDefault());
        ahead.prefetch(CART);
        runRequests();

        assertThat(timer.waiting()).containsExactly(Duration.ofSeconds(1));
    }

    private CompletableFuture<MeshTls> get(SpiffeId identity) {
        return source.get(identity).toCompletableFuture();
    }

    private void runRequests() {
        while (!requests.isEmpty()) {
            requests.remove().run();
        }
    }
}
