package io.loam.protocol;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigInteger;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.security.PublicKey;
import java.time.Instant;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x9.X9ObjectIdentifiers;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.ContentSigner;

/// Certificates with any bytes as their names. Nobody has signed them, so making one is quick.
final class NamedCertificates {
    private static final PublicKey KEY = key();
    private static final Date BEGIN = Date.from(Instant.parse("2026-03-01T12:00:00Z"));
    private static final Date END = Date.from(Instant.parse("2027-03-01T12:00:00Z"));

    private NamedCertificates() {}

    /// @param names the content of the extension subjectAltName
    /// @return DER
    static byte[] with(byte[] names) throws IOException {
        var name = new X500Name("CN=nobody");
        return new JcaX509v3CertificateBuilder(name, BigInteger.ONE, BEGIN, END, name, KEY)
                .addExtension(new Extension(Extension.subjectAlternativeName, true, names))
                .build(new Unsigned())
                .getEncoded();
    }

    private static PublicKey key() {
        try {
            return KeyPairGenerator.getInstance("EC").generateKeyPair().getPublic();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static final class Unsigned implements ContentSigner {
        private final ByteArrayOutputStream content = new ByteArrayOutputStream();

        @Override
        public AlgorithmIdentifier getAlgorithmIdentifier() {
            return new AlgorithmIdentifier(X9ObjectIdentifiers.ecdsa_with_SHA256);
        }

        @Override
        public OutputStream getOutputStream() {
            return content;
        }

        @Override
        public byte[] getSignature() {
            return new byte[] {0x30, 6, 2, 1, 1, 2, 1, 1};
        }
    }
}
