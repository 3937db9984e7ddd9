package io.loam.ca;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.ca.CertificatesInUse.Holder;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.Pem;
import io.loam.protocol.tls.WorkloadCsr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Hazard I8, the CA's half: files that change while it runs, and the moment from which they count.
class RootRotationTest {
    private static final SpiffeId CART = new SpiffeId("cluster.local", "shop", "cart");
    private static final SpiffeId WEB = new SpiffeId("cluster.local", "shop", "web");

    private final Set<SpiffeId> gone = new HashSet<>();
    private final AtomicInteger changes = new AtomicInteger();
    private Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);

    @TempDir
    private Path directory;

    private TestAuthority oldRoot;
    private TestAuthority nextRoot;
    private TestAuthority oldSigner;
    private TestAuthority nextSigner;
    private CertificateAuthority authority;

    @BeforeEach
    void start() throws Exception {
        oldRoot = TestAuthority.root("Old root", now);
        nextRoot = TestAuthority.root("Next root", now);
        oldSigner = oldRoot.authority("Mesh", now, Duration.ofDays(20));
        nextSigner = nextRoot.authority("Mesh", now, Duration.ofDays(20));
        sign(oldSigner);
        trust(oldRoot);
        authority = CertificateAuthority.pluggedIn(directory, () -> now);
        authority.addListener(changes::incrementAndGet);
        look();
    }

    /// Errors of those who are told are logged and survived: the others hear of it, and of the next change.
    @Test
    void aListenerThatFailsKeepsNobodyFromHearingOfChanges() throws Exception {
        int before = changes.get();
        var later = new AtomicInteger();
        authority.addListener(() -> {
            throw new StackOverflowError("a bug of a listener");
        });
        authority.addListener(later::incrementAndGet);

        trust(oldRoot, nextRoot);
        look();

        assertThat(changes).hasValue(before + 1);
        assertThat(later).hasValue(1);
    }

    @Test
    void aRootIsReplacedInThreeSteps() throws Exception {
        var first = issue(CART);
        trust(oldRoot, nextRoot);
        look();
        var trustsBoth = issue(CART);
        sign(nextSigner);
        look();
        var ofNext = issue(CART);
        trust(nextRoot);
        look();
        var last = issue(CART);

        assertThat(first.roots()).containsExactly(oldRoot.certificate());
        assertThat(trustsBoth.roots()).containsExactly(oldRoot.certificate(), nextRoot.certificate());
        assertThat(trustsBoth.root()).isEqualTo(oldRoot.certificate());
        assertThat(ofNext.root()).isEqualTo(nextRoot.certificate());
        assertThat(ofNext.roots()).hasSize(2);
        assertThat(last.roots()).containsExactly(nextRoot.certificate());
        last.leaf().verify(nextSigner.certificate().getPublicKey());
        assertThat(changes).hasValue(3);
        assertThat(authority.problem()).isEmpty();
    }

    /// Two agents, one of which has heard of nothing yet: at each step both can still show what they have.
    @Test
    void noStepIsTakenBeforeEveryHolderCanBearIt() throws Exception {
        issue(CART);
        issue(WEB);
        trust(oldRoot, nextRoot);
        look();
        issue(CART);
        sign(nextSigner);
        look();

        assertThat(problem())
                .startsWith(directory.resolve("ca-cert.pem") + ": signs under \"CN=Next root\"")
                .contains("1 certificates in use (" + WEB)
                .contains("root-cert.pem has both roots first");
        assertThat(issue(CART).root()).isEqualTo(oldRoot.certificate());

        issue(WEB);
        authority.look();
        assertThat(issue(CART).root()).isEqualTo(nextRoot.certificate());

        trust(nextRoot);
        look();
        assertThat(problem())
                .startsWith(directory.resolve("root-cert.pem") + ": lacks \"CN=Old root\"")
                .contains("1 certificates in use (" + WEB)
                .contains("a restart of the CA drops it at once");
        assertThat(issue(CART).roots()).hasSize(2);

        issue(WEB);
        authority.look();
        assertThat(authority.problem()).isEmpty();
        assertThat(issue(CART).roots()).containsExactly(nextRoot.certificate());
    }

    @Test
    void whatHasEndedOrWhoHasGoneIsNotWaitedFor() throws Exception {
        issue(CART);
        issue(WEB);
        gone.add(WEB);
        sign(nextSigner);
        trust(oldRoot, nextRoot);
        look();
        assertThat(problem()).contains("1 certificates in use (" + CART);

        now = now.plus(CertificateAuthority.DEFAULT_VALIDITY);
        authority.look();

        assertThat(authority.problem()).isEmpty();
        assertThat(issue(CART).root()).isEqualTo(nextRoot.certificate());
    }

    /// A broken set of files, what is said of it, and that nothing changes meanwhile.
    record Mistake(String file, String expected, Break how) {
        interface Break {
            void in(RootRotationTest test) throws Exception;
        }

        @Override
        public String toString() {
            return expected;
        }
    }

    static Stream<Mistake> mistakes() {
        return Stream.of(
                new Mistake(
                        "ca-key.pem",
                        "not the key of \"CN=Mesh\"",
                        test -> test.write(
                                "ca-key.pem", Pem.encode(test.nextSigner.keys().getPrivate()))),
                new Mistake("ca-key.pem", "no PRIVATE KEY block", test -> test.write("ca-key.pem", "")),
                new Mistake("ca-key.pem", "cannot be read", test -> Files.delete(test.directory.resolve("ca-key.pem"))),
                new Mistake("ca-cert.pem", "neither in", test -> test.sign(test.nextSigner)),
                new Mistake(
                        "ca-cert.pem",
                        "has expired on",
                        test -> test.sign(test.oldRoot.authority(
                                "Mesh", test.now.minus(Duration.ofDays(9)), Duration.ofDays(1)))),
                new Mistake("ca-cert.pem", "is not a CA", test -> test.sign(test.oldRoot.leaf("Mesh", test.now))),
                new Mistake("root-cert.pem", "no certificate", test -> test.write("root-cert.pem", "")),
                new Mistake(
                        "root-cert.pem",
                        "unreadable PEM block 2",
                        test -> test.write(
                                "root-cert.pem",
                                Pem.encode(test.oldRoot.certificate())
                                        + Pem.encode(test.nextRoot.certificate())
                                                .substring(0, 200))),
                new Mistake(
                        "root-cert.pem",
                        "has expired on",
                        test -> test.trust(
                                test.oldRoot, TestAuthority.root("Ended", test.now.minus(Duration.ofDays(366))))));
    }

    @ParameterizedTest
    @MethodSource("mistakes")
    void filesThatCannotBeUsedChangeNothing(Mistake mistake) throws Exception {
        var before = issue(CART);
        mistake.how().in(this);
        look();

        assertThat(problem())
                .startsWith(directory.resolve(mistake.file()) + ": ")
                .contains(mistake.expected());
        var after = issue(CART);
        assertThat(after.intermediates()).isEqualTo(before.intermediates());
        assertThat(after.roots()).isEqualTo(before.roots());
        assertThat(changes).hasValue(0);

        sign(oldSigner);
        trust(oldRoot, nextRoot);
        look();
        assertThat(authority.problem()).isEmpty();
        assertThat(issue(CART).roots()).hasSize(2);
    }

    @Test
    void saysWhichRootIsMissingWhereTheChainNamesIt() throws Exception {
        write("cert-chain.pem", Pem.encode(List.of(oldSigner.certificate(), oldRoot.certificate())));
        trust(nextRoot);
        look();

        assertThat(problem())
                .startsWith(directory.resolve("ca-cert.pem")
                        + ": \"CN=Mesh\" was issued under \"CN=Old root\", which is not");
    }

    @Test
    void filesAreNotReadWhileTheyAreBeingWritten() throws Exception {
        trust(oldRoot, nextRoot);
        authority.look();
        assertThat(authority.roots()).hasSize(1);
        authority.look();
        assertThat(authority.roots()).hasSize(2);
    }

    /// Whoever plugs in an intermediate keeps its end in mind himself: a root key beside it is not ours to sign with.
    @Test
    void pluggedInFilesAreNeverWritten() throws Exception {
        write("root-key.pem", Pem.encode(oldRoot.keys().getPrivate()));
        var files = Files.readString(directory.resolve("ca-cert.pem"));
        look();

        issue(CART); // with an intermediate of 20 days, which one of ours would not be left with

        assertThat(Files.readString(directory.resolve("ca-cert.pem"))).isEqualTo(files);
    }

    private IssuedCertificate issue(SpiffeId identity) throws Exception {
        return authority.issueWorkload(
                identity,
                WorkloadCsr.generate(identity).pem(),
                Duration.ZERO,
                new Holder("agent", identity),
                () -> !gone.contains(identity));
    }

    private String problem() {
        return authority.problem().orElseThrow().toString().replaceFirst("^[^ ]*: ", "");
    }

    /// The look that sees the change, and the one that sees it rest.
    private void look() {
        authority.look();
        authority.look();
    }

    private void sign(TestAuthority signer) throws IOException {
        write("ca-cert.pem", Pem.encode(signer.certificate()));
        write("ca-key.pem", Pem.encode(signer.keys().getPrivate()));
    }

    private void trust(TestAuthority... roots) throws IOException {
        var certificates = Stream.of(roots)
                .<X509Certificate>map(TestAuthority::certificate)
                .toList();
        write("root-cert.pem", Pem.encode(List.copyOf(certificates)));
    }

    /// As a new file, as careful people do.
    private void write(String file, String text) throws IOException {
        var fresh = Files.writeString(directory.resolve("fresh"), text);
        Files.move(fresh, directory.resolve(file), StandardCopyOption.REPLACE_EXISTING);
    }
}
