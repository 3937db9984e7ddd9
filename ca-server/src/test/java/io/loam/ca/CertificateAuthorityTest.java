package io.loam.ca;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.Pem;
import io.loam.protocol.tls.WorkloadCsr;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CertificateAuthorityTest {
    private static final SpiffeId CART = new SpiffeId("cluster.local", "shop", "cart");
    private final Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);

    @TempDir
    Path directory;

    @Test
    void writesEveryFieldOfALeafItself() throws Exception {
        var authority = CertificateAuthority.openOrCreate(directory, () -> now);

        var leaf = authority
                .issueWorkload(CART, Csrs.plain(Csrs.ec("secp256r1"), "SHA256withECDSA"), Duration.ZERO)
                .leaf();

        assertThat(leaf.getSubjectX500Principal().getName()).isEmpty();
        assertThat(leaf.getSubjectAlternativeNames()).containsExactly(List.of(6, CART.toString()));
        assertThat(leaf.getCriticalExtensionOIDs()).containsExactlyInAnyOrder("2.5.29.15", "2.5.29.17", "2.5.29.19");
        assertThat(leaf.getBasicConstraints()).isEqualTo(-1);
        assertThat(leaf.getExtendedKeyUsage()).containsExactlyInAnyOrder("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2");
        assertThat(leaf.getKeyUsage()).containsExactly(true, false, false, false, false, false, false, false, false);
        assertThat(leaf.getNotBefore().toInstant()).isEqualTo(now.minus(Duration.ofMinutes(2)));
        assertThat(leaf.getNotAfter().toInstant()).isEqualTo(now.plus(Duration.ofHours(24)));
    }

    @Test
    void answersWithLeafThenIntermediateThenAllRoots() throws Exception {
        var authority = CertificateAuthority.openOrCreate(directory, InstantSource.system());
        var csr = WorkloadCsr.generate(CART);

        var chain =
                authority.issueWorkload(CART, csr.pem(), Duration.ofHours(1)).certChain();

        assertThat(chain).hasSize(3);
        var bundle = csr.accept(chain); // checks key and identity
        bundle.chain().get(0).verify(bundle.chain().get(1).getPublicKey());
        bundle.chain().get(1).verify(bundle.roots().getFirst().getPublicKey());
        assertThat(bundle.roots()).isEqualTo(authority.roots());
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE})
    void takesNoValidityForTheDefault(long seconds) throws Exception {
        var authority = CertificateAuthority.openOrCreate(directory, () -> now);

        var leaf = authority
                .issueWorkload(CART, WorkloadCsr.generate(CART).pem(), Duration.ofSeconds(seconds))
                .leaf();

        assertThat(leaf.getNotAfter().toInstant()).isEqualTo(now.plus(Duration.ofHours(24)));
    }

    @ParameterizedTest
    @ValueSource(longs = {90 * 86_400 + 1, Long.MAX_VALUE})
    void refusesMoreThanNinetyDays(long seconds) throws Exception {
        var authority = CertificateAuthority.openOrCreate(directory, () -> now);

        assertThatThrownBy(() ->
                        authority.issueWorkload(CART, WorkloadCsr.generate(CART).pem(), Duration.ofSeconds(seconds)))
                .isInstanceOf(RequestRefusedException.class)
                .hasMessageContaining("expected: <= 7776000 s");
    }

    @Test
    void keepsItsRootAndIntermediateAcrossRestartsInFilesOfTheOwner() throws Exception {
        var before = CertificateAuthority.openOrCreate(directory.resolve("ca"), () -> now);
        var issuedBefore = before.issueWorkload(CART, WorkloadCsr.generate(CART).pem(), Duration.ZERO);

        var after = CertificateAuthority.openOrCreate(directory.resolve("ca"), () -> now);
        var issuedAfter = after.issueWorkload(CART, WorkloadCsr.generate(CART).pem(), Duration.ZERO);

        assertThat(after.rootsPem()).isEqualTo(before.rootsPem());
        assertThat(issuedAfter.intermediates()).isEqualTo(issuedBefore.intermediates());
        try (var files = Files.list(directory.resolve("ca"))) {
            assertThat(files.filter(file -> file.toString().endsWith(".pem")))
                    .hasSize(5)
                    .allSatisfy(file -> assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                            .isEqualTo("rw-------"));
        }
    }

    @Test
    void startsAnewAfterACreationThatWasInterrupted() throws Exception {
        var interrupted =
                CertificateAuthority.openOrCreate(directory, () -> now).rootsPem();
        Files.delete(directory.resolve("cert-chain.pem")); // written last

        var authority = CertificateAuthority.openOrCreate(directory, () -> now);

        assertThat(authority.rootsPem()).isNotEqualTo(interrupted);
    }

    @Test
    void survivesACrashBetweenTheFilesOfARenewal() throws Exception {
        CertificateAuthority.openOrCreate(directory, () -> now);
        var oldCertificate = Files.readString(directory.resolve("ca-cert.pem"));
        var later = now.plus(Duration.ofDays(300));
        CertificateAuthority.openOrCreate(directory, () -> later)
                .issueWorkload(CART, WorkloadCsr.generate(CART).pem(), Duration.ZERO);
        Files.writeString(directory.resolve("ca-cert.pem"), oldCertificate); // the key was renamed, this was not

        var issued = CertificateAuthority.openOrCreate(directory, () -> later)
                .issueWorkload(CART, WorkloadCsr.generate(CART).pem(), Duration.ZERO);

        issued.leaf().verify(issued.intermediates().getFirst().getPublicKey());
    }

    @Test
    void renewsItsIntermediateLongBeforeALeafWouldBeCutShort() throws Exception {
        var first = CertificateAuthority.openOrCreate(directory, () -> now)
                .issueWorkload(CART, WorkloadCsr.generate(CART).pem(), Duration.ZERO);
        var later = now.plus(Duration.ofDays(300));

        var issued = CertificateAuthority.openOrCreate(directory, () -> later)
                .issueWorkload(CART, WorkloadCsr.generate(CART).pem(), Duration.ofDays(90));

        assertThat(issued.intermediates()).isNotEqualTo(first.intermediates());
        assertThat(issued.roots()).isEqualTo(first.roots());
        assertThat(issued.leaf().getNotAfter().toInstant()).isEqualTo(later.plus(Duration.ofDays(90)));
    }

    @Test
    void issuesServingCertificatesForNamesAndAddresses() throws Exception {
        var authority = CertificateAuthority.openOrCreate(directory, () -> now);

        var leaf = authority
                .issueServing(List.of("ca.loam-system.svc"), List.of(InetAddress.ofLiteral("203.0.113.1")))
                .chain()
                .getFirst();

        assertThat(leaf.getSubjectAlternativeNames())
                .containsExactlyInAnyOrder(List.of(2, "ca.loam-system.svc"), List.of(7, "203.0.113.1"));
        assertThat(leaf.getExtendedKeyUsage()).containsExactly("1.3.6.1.5.5.7.3.1");
    }

    @Test
    void usesPluggedInKeysWithAChainOfTwoIntermediates() throws Exception {
        var root = TestAuthority.root("Corporate root", now);
        var middle = root.authority("Corporate middle", now, Duration.ofDays(30));
        var signer = middle.authority("Mesh", now, Duration.ofDays(20));
        plugIn(signer, List.of(signer.certificate(), middle.certificate(), root.certificate()), root.certificate());
        var authority = CertificateAuthority.pluggedIn(directory, () -> now);

        var issued = authority.issueWorkload(CART, WorkloadCsr.generate(CART).pem(), Duration.ofDays(90));

        assertThat(issued.intermediates()).containsExactly(signer.certificate(), middle.certificate());
        assertThat(issued.roots()).containsExactly(root.certificate());
        assertThat(issued.leaf().getNotAfter()).isEqualTo(signer.certificate().getNotAfter());
    }

    @Test
    void saysThatAPluggedInKeyBelongsToAnotherCertificate() throws Exception {
        var root = TestAuthority.root("Corporate root", now);
        plugIn(root, List.of(), root.certificate());
        Files.writeString(
                directory.resolve("ca-key.pem"), Pem.encode(Csrs.ec("secp256r1").getPrivate()));

        assertThatThrownBy(() -> CertificateAuthority.pluggedIn(directory, () -> now))
                .isInstanceOf(AuthorityException.class)
                .hasMessageContaining(directory.resolve("ca-key.pem") + ": not the key of \"CN=Corporate root\"");
    }

    @Test
    void saysThatAPluggedInCertificateHasExpired() throws Exception {
        var root = TestAuthority.root("Corporate root", now);
        var signer = root.authority("Mesh", now.minus(Duration.ofDays(9)), Duration.ofDays(1));
        plugIn(signer, List.of(), root.certificate());

        assertThatThrownBy(() -> CertificateAuthority.pluggedIn(directory, () -> now))
                .isInstanceOf(AuthorityException.class)
                .hasMessageContaining(directory.resolve("ca-cert.pem") + ": \"CN=Mesh\" has expired on");
    }

    @Test
    void saysThatAPluggedInCertificateIsNoAuthority() throws Exception {
        var root = TestAuthority.root("Corporate root", now);
        var server = root.leaf("Just a server", now);
        plugIn(server, List.of(), root.certificate());

        assertThatThrownBy(() -> CertificateAuthority.pluggedIn(directory, () -> now))
                .isInstanceOf(AuthorityException.class)
                .hasMessageContaining("\"CN=Just a server\" is not a CA");
    }

    @Test
    void saysThatAPluggedInChainEndsInNoRoot() throws Exception {
        var root = TestAuthority.root("Corporate root", now);
        var signer = root.authority("Mesh", now, Duration.ofDays(1));
        plugIn(signer, List.of(), TestAuthority.root("Corporate root", now).certificate()); // a namesake

        assertThatThrownBy(() -> CertificateAuthority.pluggedIn(directory, () -> now))
                .isInstanceOf(AuthorityException.class)
                .hasMessageContaining("neither in " + directory.resolve("cert-chain.pem"));
    }

    @Test
    void namesTheFileThatIsMissingAmongPluggedInOnes() throws Exception {
        var root = TestAuthority.root("Corporate root", now);
        plugIn(root, List.of(), root.certificate());
        Files.delete(directory.resolve("ca-key.pem"));

        assertThatThrownBy(() -> CertificateAuthority.openOrCreate(directory, () -> now))
                .isInstanceOf(AuthorityException.class)
                .hasMessageContaining(directory.resolve("ca-key.pem") + ": cannot be read");
    }

    @Test
    void neverPrintsAKey() throws Exception {
        var authority = CertificateAuthority.openOrCreate(directory, () -> now);

        var serving = authority.issueServing(List.of("ca"), List.of());

        assertThat(serving.toString()).startsWith("ServingCertificate[serial=").doesNotContain("PrivateKey");
    }

    private void plugIn(TestAuthority signer, List<X509Certificate> chain, X509Certificate root) throws Exception {
        Files.writeString(directory.resolve("ca-cert.pem"), Pem.encode(signer.certificate()));
        Files.writeString(
                directory.resolve("ca-key.pem"), Pem.encode(signer.keys().getPrivate()));
        Files.writeString(directory.resolve("root-cert.pem"), Pem.encode(root));
        if (!chain.isEmpty()) {
            Files.writeString(directory.resolve("cert-chain.pem"), Pem.encode(chain));
        }
    }
}
