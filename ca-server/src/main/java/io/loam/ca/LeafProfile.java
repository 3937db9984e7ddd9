package io.loam.ca;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509v3CertificateBuilder;

/// The fields of our certificates. Nothing here comes from a request but the public key.
final class LeafProfile {
    /// Tolerates clocks of peers that are a little behind (wire reference, section 5).
    static final Duration BACKDATED = Duration.ofMinutes(2);

    private static final SecureRandom RANDOM = new SecureRandom();

    private LeafProfile() {}

    /// RFC 5280, 4.1.2.2: positive and at most 20 octets; CA/Browser Forum 7.1: at least 64 random bits.
    static BigInteger randomSerial() {
        var serial = new BigInteger(126, RANDOM);
        return serial.signum() == 0 ? BigInteger.ONE : serial;
    }

    /// X.509-SVID, section 4: no CA, key usage for signatures only, one name, which is critical since the subject
    /// is empty (RFC 5280, 4.2.1.6).
    ///
    /// @param notAfter is cut to the end of the issuer by the caller
    static X509v3CertificateBuilder of(
            Issuer issuer,
            SubjectPublicKeyInfo key,
            GeneralNames names,
            Instant now,
            Instant notAfter,
            KeyPurposeId... purposes) {
        var builder = new X509v3CertificateBuilder(
                issuer.subject(),
                randomSerial(),
                Date.from(now.minus(BACKDATED)),
                Date.from(notAfter),
                new X500Name(""),
                key);
        try {
            return builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
                    .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature))
                    .addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(purposes))
                    .addExtension(Extension.subjectAlternativeName, true, names)
                    .addExtension(Extension.authorityKeyIdentifier, false, issuer.keyIdentifier());
        } catch (IOException e) {
            throw new UncheckedIOException("encoding in memory", e);
        }
    }
}
