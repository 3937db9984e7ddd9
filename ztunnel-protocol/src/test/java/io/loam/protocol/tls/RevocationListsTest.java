package io.loam.protocol.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.loam.protocol.tls.CraftedCertificates.CriticalExtension;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.IssuingDistributionPoint;
import org.junit.jupiter.api.Test;

/// Wire reference, 2.1, and hazard I6: which certificates a file of lists takes back.
class RevocationListsTest {
    private static final CraftedCertificates ROOT = new CraftedCertificates("root");
    private static final CraftedCertificates INTERMEDIATE = ROOT.intermediate("intermediate");
    private static final X509Certificate CART =
            INTERMEDIATE.workload("spiffe://cluster.local/ns/shop/sa/cart").certificate();
    private static final PeerChain CHAIN =
            PeerChain.of(List.of(CART, INTERMEDIATE.root()), new TrustAnchor(ROOT.root(), null));

    @Test
    void findsTheLeafOnItsIssuersList() throws Exception {
        var lists = RevocationLists.read(INTERMEDIATE.revoking(BigInteger.ONE, CART.getSerialNumber()));

        assertThat(lists.revoked(CHAIN))
                .contains("certificate " + CART.getSerialNumber().toString(16) + " of CN=intermediate is revoked");
        assertThat(lists.size()).isEqualTo(2);
        assertThat(lists.lists()).isEqualTo(1);
    }

    @Test
    void findsTheIntermediateOnTheRootsList() throws Exception {
        var lists = RevocationLists.read(ROOT.revoking(INTERMEDIATE.root().getSerialNumber()));

        assertThat(lists.revoked(CHAIN))
                .hasValueSatisfying(why -> assertThat(why).endsWith("of CN=root is revoked"));
    }

    @Test
    void whatIsOnNoListCountsAsGood() throws Exception {
        var lists = RevocationLists.read(INTERMEDIATE.revoking(BigInteger.ONE));

        assertThat(lists.revoked(CHAIN)).isEmpty();
        assertThat(RevocationLists.read(INTERMEDIATE.revoking()).revoked(CHAIN)).isEmpty();
    }

    /// Serial numbers are unique for each issuer only.
    @Test
    void anotherIssuersListWithTheSameSerialNumberMeansNothing() throws Exception {
        var lists = RevocationLists.read(ROOT.revoking(CART.getSerialNumber()));

        assertThat(lists.revoked(CHAIN)).isEmpty();
    }

    /// Two generations of a CA have one name and two keys; and nobody can lock others out with a list of
    /// their own.
    @Test
    void aListUnderTheIssuersNameAndAnotherKeyMeansNothing() throws Exception {
        var lists = RevocationLists.read(new CraftedCertificates("intermediate").revoking(CART.getSerialNumber()));

        assertThat(lists.revoked(CHAIN)).isEmpty();
    }

    @Test
    void readsSeveralListsInPemAndInDer() throws Exception {
        var other = ROOT.revoking(BigInteger.TWO);
        var ours = INTERMEDIATE.revoking(CART.getSerialNumber());

        var pem = RevocationLists.read(
                ("# kept by ops\n" + pem(other) + "\n" + pem(ours)).getBytes(StandardCharsets.UTF_8));
        var der = RevocationLists.read(joined(other, ours));

        assertThat(pem.lists()).isEqualTo(2);
        assertThat(pem.revoked(CHAIN)).isPresent();
        assertThat(der.lists()).isEqualTo(2);
        assertThat(der.revoked(CHAIN)).isPresent();
    }

    @Test
    void aBlankFileRevokesNothing() throws Exception {
        assertThat(RevocationLists.read(new byte[0]).lists()).isZero();
        assertThat(RevocationLists.read(" \n".getBytes(StandardCharsets.UTF_8)).revoked(CHAIN))
                .isEmpty();
    }

    /// A part of a list must not pass for the whole.
    @Test
    void refusesEveryBeginningOfAFile() {
        var der = INTERMEDIATE.revoking(BigInteger.ONE, CART.getSerialNumber());
        var text = pem(der);
        refusesBeginnings(der, der.length);
        refusesBeginnings(
                text.getBytes(StandardCharsets.UTF_8), text.stripTrailing().length());
    }

    private static void refusesBeginnings(byte[] file, int whole) {
        for (int length = 1; length < whole; length++) {
            var part = Arrays.copyOf(file, length);
            assertThat(catchThrowable(() -> RevocationLists.read(part)))
                    .as("%d of %d bytes", length, whole)
                    .isInstanceOf(GeneralSecurityException.class);
        }
    }

    @Test
    void refusesWhatIsNoList() throws Exception {
        var der = INTERMEDIATE.revoking(CART.getSerialNumber());
        refuses("no list".getBytes(StandardCharsets.UTF_8), "no list in it");
        refuses(Pem.encode(CART).getBytes(StandardCharsets.UTF_8), "CERTIFICATE (expected: X509 CRL)");
        refuses(CART.getEncoded(), "list 1: unreadable");
        refuses(joined(der, new byte[] {7}), "list 2: no DER");
    }

    @Test
    void refusesListsOfAFormThatItDoesNotKnow() {
        refuses(
                ROOT.revoking(List.of(new CriticalExtension(Extension.deltaCRLIndicator, new ASN1Integer(1)))),
                "only changes to another list");
        refuses(
                ROOT.revoking(List.of(new CriticalExtension(
                        Extension.issuingDistributionPoint, new IssuingDistributionPoint(null, true, false)))),
                "several issuers");
        refuses(
                ROOT.revoking(List.of(new CriticalExtension(new ASN1ObjectIdentifier("1.2.3.4"), new ASN1Integer(1)))),
                "critical extension 1.2.3.4 is not known");
    }

    private static void refuses(byte[] file, String why) {
        assertThatThrownBy(() -> RevocationLists.read(file))
                .isInstanceOf(GeneralSecurityException.class)
                .hasMessageContaining(why);
    }

    private static byte[] joined(byte[] one, byte[] other) {
        var joined = Arrays.copyOf(one, one.length + other.length);
        System.arraycopy(other, 0, joined, one.length, other.length);
        return joined;
    }

    private static String pem(byte[] der) {
        return "-----BEGIN X509 CRL-----\n"
                + Base64.getMimeEncoder(64, new byte[] {10}).encodeToString(der) + "\n-----END X509 CRL-----\n";
    }
}
