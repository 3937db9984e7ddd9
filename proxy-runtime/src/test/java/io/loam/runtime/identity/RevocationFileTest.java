package io.loam.runtime.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.protocol.tls.PeerChain;
import io.loam.protocol.tls.Revocations.PeerRole;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.time.ManualTimer;
import io.loam.runtime.tunnel.TestCertificates;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hazard I6. The file is looked at when the test moves the time.
class RevocationFileTest {
    private static final BigInteger SERIAL = BigInteger.valueOf(4711);

    private final ManualTimer timer = new ManualTimer();
    private final Readiness readiness = new Readiness();
    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final AtomicInteger cuts = new AtomicInteger();
    private final TestCertificates certificates;
    private final PeerChain peer;
    private int written;

    @TempDir
    private Path folder = Path.of("");

    private Path file = Path.of("");

    RevocationFileTest() throws Exception {
        certificates = new TestCertificates();
        var root = certificates.root();
        peer = new PeerChain(List.of(new PeerChain.Link(root.getSubjectX500Principal(), root.getPublicKey(), SERIAL)));
    }

    @BeforeEach
    void nameFile() {
        file = folder.resolve("crl.pem");
    }

    private RevocationFile open() {
        return new RevocationFile(file, timer, Runnable::run, readiness, registry);
    }

    @Test
    void aChangeRefusesNewHandshakesAndCutsTunnelsWithinTwoSeconds() throws Exception {
        write(file);
        var lists = open();
        assertThat(readiness.isReady()).isTrue();
        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isEmpty();
        lists.watch(peer, PeerRole.CLIENT, cuts::incrementAndGet);

        var changed = timer.now();
        write(file, SERIAL);
        while (cuts.get() == 0 && timer.now().isBefore(changed.plusSeconds(10))) {
            timer.advance(Duration.ofMillis(10));
        }

        var took = Duration.between(changed, timer.now());
        assertThat(took).isLessThanOrEqualTo(Duration.ofSeconds(2));
        assertThat(lists.refusal(peer, PeerRole.SERVER))
                .hasValueSatisfying(why -> assertThat(why).contains(SERIAL.toString(16)));
        System.out.printf("hazard I6: new list in force %d ms after the file changed%n", took.toMillis());
    }

    @Test
    void cutsOnceAndOnlyWhoIsRevoked() throws Exception {
        write(file);
        var lists = open();
        var other = new PeerChain(List.of(new PeerChain.Link(
                peer.links().getFirst().issuer(), certificates.root().getPublicKey(), BigInteger.ONE)));
        var othersCuts = new AtomicInteger();
        lists.watch(peer, PeerRole.SERVER, cuts::incrementAndGet);
        lists.watch(other, PeerRole.SERVER, othersCuts::incrementAndGet);

        write(file, SERIAL);
        timer.advance(Duration.ofSeconds(2));
        write(file, SERIAL, BigInteger.TWO);
        timer.advance(Duration.ofSeconds(2));

        assertThat(cuts).hasValue(1);
        assertThat(othersCuts).hasValue(0);
        assertThat(rejections("source")).isEqualTo(1);
        assertThat(rejections("destination")).isZero();
    }

    @Test
    void aTunnelThatWasProvedWithAnOlderListIsCutWhenItIsWatched() throws Exception {
        write(file, SERIAL);
        var lists = open();

        lists.watch(peer, PeerRole.CLIENT, cuts::incrementAndGet);

        assertThat(cuts).hasValue(1);
        assertThat(rejections("destination")).isEqualTo(1);
    }

    @Test
    void whoIsGoneIsNotWatched() throws Exception {
        write(file);
        var lists = open();
        lists.watch(peer, PeerRole.CLIENT, cuts::incrementAndGet).run();

        write(file, SERIAL);
        timer.advance(Duration.ofSeconds(2));

        assertThat(cuts).hasValue(0);
        assertThat(lists.watched()).isZero();
    }

    @Test
    void trustsNobodyAndIsNotReadyBeforeTheFirstList() throws Exception {
        var lists = open();

        assertThat(lists.refusal(peer, PeerRole.CLIENT))
                .contains("nobody is trusted before the revocation lists in " + file + " can be read");
        assertThat(readiness.reply().body()).isEqualTo("not ready, pending: revocation lists in " + file + "\n");
        assertThat(rejections("destination")).isEqualTo(1);

        write(file);
        timer.advance(Duration.ofSeconds(2));

        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isEmpty();
        assertThat(readiness.isReady()).isTrue();
    }

    /// A file that is written in pieces is not taken for a short list between two of them.
    @Test
    void waitsUntilTheFileRests() throws Exception {
        write(file, SERIAL);
        var lists = open();

        set(file, new byte[0]); // truncated, the rest follows
        timer.advance(RevocationFile.LOOK);
        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isPresent();
        write(file, SERIAL, BigInteger.ONE);
        timer.advance(Duration.ofSeconds(2));
        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isPresent();

        set(file, new byte[0]); // this time it is meant
        timer.advance(Duration.ofSeconds(2));
        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isEmpty();
    }

    @Test
    void aFileThatNeverRestsIsReadAllTheSame() throws Exception {
        write(file);
        var lists = open();
        lists.watch(peer, PeerRole.CLIENT, cuts::incrementAndGet);

        for (int look = 0; look < 5; look++) {
            write(file, SERIAL);
            timer.advance(RevocationFile.LOOK);
        }

        assertThat(cuts).hasValue(1);
    }

    @Test
    void whatIsUnreadableTooLargeOrGoneTakesNothingBack() throws Exception {
        write(file, SERIAL);
        var lists = open();
        var good = Files.readAllBytes(file);

        set(file, Arrays.copyOf(good, good.length - 3));
        timer.advance(Duration.ofSeconds(2));
        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isPresent();

        set(file, new byte[(1 << 20) + 1]);
        timer.advance(Duration.ofSeconds(2));
        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isPresent();

        Files.delete(file);
        timer.advance(Duration.ofSeconds(2));
        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isPresent();

        write(file);
        timer.advance(Duration.ofSeconds(2));
        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isEmpty();
    }

    /// As Kubernetes mounts a ConfigMap: the name is a link into a folder that is swapped as a whole.
    @Test
    void noticesALinkThatIsSwapped() throws Exception {
        var before = folder.resolve("1");
        var after = folder.resolve("2");
        write(before);
        write(after, SERIAL);
        Files.createSymbolicLink(file, before);
        var lists = open();
        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isEmpty();

        var next = folder.resolve("next");
        Files.createSymbolicLink(next, after);
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
        timer.advance(Duration.ofSeconds(2));

        assertThat(lists.refusal(peer, PeerRole.CLIENT)).isPresent();
    }

    private double rejections(String reporter) {
        return registry.scrape(name -> name.equals("istio_crl_policy_rejections")).stream()
                .flatMap(metric -> ((CounterSnapshot) metric).getDataPoints().stream())
                .filter(point -> reporter.equals(point.getLabels().get("reporter")))
                .mapToDouble(CounterSnapshot.CounterDataPointSnapshot::getValue)
                .sum();
    }

    private void write(Path to, BigInteger... serials) throws Exception {
        set(to, certificates.revoking(serials));
    }

    /// Each write has a time of its own: two within one tick of the file system's clock are no matter here.
    private void set(Path to, byte[] content) throws IOException {
        Files.write(to, content);
        Files.setLastModifiedTime(to, FileTime.from(Instant.EPOCH.plusSeconds(++written)));
    }
}
