package io.loam.ca;

import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPrivateKey;
import java.time.Instant;
import java.util.List;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AuthorityKeyIdentifier;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/// The certificate and key that sign leaves, with what is above them. Checked when made; immutable.
///
/// @param certificate signs leaves
/// @param intermediates what is sent between leaf and roots: `certificate` unless it is a root itself, then those
///     above it
/// @param root the one of `roots` that vouches for `certificate`
/// @param roots all that are trusted
record Issuer(
        PrivateKey key,
        X509Certificate certificate,
        List<X509Certificate> intermediates,
        X509Certificate root,
        List<X509Certificate> roots) {
    Issuer {
        intermediates = List.copyOf(intermediates);
        roots = List.copyOf(roots);
    }

    X500Name subject() {
        return X500Name.getInstance(certificate.getSubjectX500Principal().getEncoded());
    }

    AuthorityKeyIdentifier keyIdentifier() {
        try {
            return new JcaX509ExtensionUtils().createAuthorityKeyIdentifier(certificate.getPublicKey());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java runtime has no SHA-1 to name keys by", e);
        }
    }

    X509Certificate sign(X509v3CertificateBuilder builder) {
        try {
            var signer = new JcaContentSignerBuilder(signatureAlgorithm(key)).build(key);
            return new JcaX509CertificateConverter().getCertificate(builder.build(signer));
        } catch (OperatorCreationException | GeneralSecurityException e) {
            throw new IllegalStateException("signing with the key of " + certificate.getSubjectX500Principal(), e);
        }
    }

    /// Whether it makes no difference to agents which of the two signs.
    boolean isAs(Issuer other) {
        return certificate.equals(other.certificate)
                && intermediates.equals(other.intermediates)
                && roots.equals(other.roots);
    }

    /// The earlier of `wanted` and the end of everything above: nothing may outlive what vouches for it.
    Instant endNoLaterThan(Instant wanted) {
        var end = wanted;
        for (var above : intermediates) {
            end = earlier(end, above.getNotAfter().toInstant());
        }
        return earlier(end, certificate.getNotAfter().toInstant());
    }

    /// SHA-256 for P-256 and RSA, the hash of the curve's size above.
    static String signatureAlgorithm(PrivateKey key) {
        return switch (key) {
            case ECPrivateKey ec when ec.getParams().getOrder().bitLength() > 384 -> "SHA512withECDSA";
            case ECPrivateKey ec when ec.getParams().getOrder().bitLength() > 256 -> "SHA384withECDSA";
            case ECPrivateKey _ -> "SHA256withECDSA";
            default -> "SHA256withRSA"; // the store lets in no third kind
        };
    }

    private static Instant earlier(Instant a, Instant b) {
        return a.isBefore(b) ? a : b;
    }

    /// Hides the key.
    @Override
    public String toString() {
        return "Issuer[" + certificate.getSubjectX500Principal() + ", until "
                + certificate.getNotAfter().toInstant() + ", root " + root.getSubjectX500Principal() + ", trusts "
                + roots.stream().map(X509Certificate::getSubjectX500Principal).toList() + "]";
    }
}
