package io.loam.ca;

import java.math.BigInteger;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/// Somebody else's certificates, to be plugged in.
record TestAuthority(KeyPair keys, X509Certificate certificate) {
    static TestAuthority root(String name, Instant notBefore) throws Exception {
        var keys = Csrs.ec("secp256r1");
        return signed(name, keys, name, keys.getPrivate(), notBefore, Duration.ofDays(365), true);
    }

    TestAuthority authority(String name, Instant notBefore, Duration validity) throws Exception {
        return signed(name, Csrs.ec("secp256r1"), ownName(), keys.getPrivate(), notBefore, validity, true);
    }

    TestAuthority leaf(String name, Instant notBefore) throws Exception {
        return signed(name, Csrs.ec("secp256r1"), ownName(), keys.getPrivate(), notBefore, Duration.ofDays(1), false);
    }

    private String ownName() {
        return certificate.getSubjectX500Principal().getName().substring("CN=".length());
    }

    private static TestAuthority signed(
            String name,
            KeyPair keys,
            String issuer,
            PrivateKey issuerKey,
            Instant notBefore,
            Duration validity,
            boolean authority)
            throws Exception {
        var builder = new JcaX509v3CertificateBuilder(
                new X500Name("CN=" + issuer),
                BigInteger.ONE,
                Date.from(notBefore),
                Date.from(notBefore.plus(validity)),
                new X500Name("CN=" + name),
                keys.getPublic());
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(authority));
        var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(issuerKey);
        return new TestAuthority(keys, new JcaX509CertificateConverter().getCertificate(builder.build(signer)));
    }
}
