package io.loam.agent.selftest;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.CertificateBundle;
import io.loam.runtime.identity.CertificateAuthority;
import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/// A root that nobody but this object trusts and whose key dies with it. What it certifies proves something to
/// peers that were made with its root, and to nobody else. Safe for all threads.
public final class ThrowAwayAuthority implements CertificateAuthority {
    /// Outlasts every use; the root key is gone long before.
    private static final Duration LIFE = Duration.ofHours(1);

    private static final Duration BACKDATED = Duration.ofMinutes(2);
    private static final X500Principal NAME = new X500Principal("CN=throw-away");

    private final InstantSource clock;
    private final KeyPair keys;
    private final X509Certificate root;

    /// @throws GeneralSecurityException if this Java runtime has no P-256
    public ThrowAwayAuthority(InstantSource clock) throws IOException, GeneralSecurityException {
        this.clock = clock;
        keys = keys();
        root = sign(builder(NAME, keys.getPublic())
                .addExtension(Extension.basicConstraints, true, new BasicConstraints(true))
                .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign)));
    }

    public X509Certificate root() {
        return root;
    }

    @Override
    public CertificateBundle certify(SpiffeId identity) throws IOException, GeneralSecurityException {
        var pair = keys();
        return CertificateBundle.of(pair.getPrivate(), List.of(workload(identity, pair.getPublic())), List.of(root));
    }

    /// For a key that somebody else holds.
    public X509Certificate workload(SpiffeId identity, PublicKey key) throws IOException, GeneralSecurityException {
        return leaf(new GeneralName(GeneralName.uniformResourceIdentifier, identity.toString()), key);
    }

    /// For a server on loopback.
    public X509Certificate loopbackServer(PublicKey key) throws IOException, GeneralSecurityException {
        return leaf(new GeneralName(GeneralName.iPAddress, "127.0.0.1"), key);
    }

    private X509Certificate leaf(GeneralName name, PublicKey key) throws IOException, GeneralSecurityException {
        var usages = new KeyPurposeId[] {KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth};
        return sign(builder(new X500Principal(""), key)
                .addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
                .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature))
                .addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(usages))
                .addExtension(Extension.subjectAlternativeName, true, new GeneralNames(name)));
    }

    private X509v3CertificateBuilder builder(X500Principal subject, PublicKey key) {
        Instant now = clock.instant();
        return new JcaX509v3CertificateBuilder(
                NAME,
                BigInteger.valueOf(now.toEpochMilli()),
                Date.from(now.minus(BACKDATED)),
                Date.from(now.plus(LIFE)),
                subject,
                key);
    }

    private X509Certificate sign(X509v3CertificateBuilder builder) throws GeneralSecurityException {
        try {
            var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate());
            return new JcaX509CertificateConverter().getCertificate(builder.build(signer));
        } catch (OperatorCreationException e) {
            throw new GeneralSecurityException("this Java runtime cannot sign with P-256", e);
        }
    }

    /// P-256, as every certificate of the mesh.
    public static KeyPair keys() throws GeneralSecurityException {
        var generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        return generator.generateKeyPair();
    }
}
