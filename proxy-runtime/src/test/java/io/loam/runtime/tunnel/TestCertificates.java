package io.loam.runtime.tunnel;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.CertificateBundle;
import io.loam.protocol.tls.MeshTls;
import java.math.BigInteger;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/// A root of its own, and workload certificates under it.
public final class TestCertificates {
    private final KeyPair rootKeys = keys();
    private final X509Certificate root;
    private long serial = 1;

    public TestCertificates() throws Exception {
        var now = Instant.now();
        var builder = builder(
                        "CN=root", rootKeys, "CN=root", now.minus(Duration.ofMinutes(2)), now.plus(Duration.ofHours(1)))
                .addExtension(Extension.basicConstraints, true, new BasicConstraints(true))
                .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign));
        root = sign(builder);
    }

    public static SpiffeId id(String serviceAccount) {
        return new SpiffeId("cluster.local", "shop", serviceAccount);
    }

    public MeshTls tls(SpiffeId identity) throws Exception {
        var now = Instant.now();
        var bundle = bundle(identity, now.minus(Duration.ofMinutes(2)), now.plus(Duration.ofHours(1)));
        return MeshTls.of(bundle, InstantSource.system());
    }

    public CertificateBundle bundle(SpiffeId identity, Instant notBefore, Instant notAfter) throws Exception {
        var pair = keys();
        var san = new GeneralNames(new GeneralName(GeneralName.uniformResourceIdentifier, identity.toString()));
        var usages = new KeyPurposeId[] {KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth};
        var builder = builder("CN=" + identity.serviceAccount(), pair, "CN=root", notBefore, notAfter)
                .addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
                .addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(usages))
                .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature))
                .addExtension(Extension.subjectAlternativeName, true, san);
        return CertificateBundle.of(pair.getPrivate(), List.of(sign(builder)), List.of(root));
    }

    public X509Certificate root() {
        return root;
    }

    /// @return the root's revocation list, DER
    public byte[] revoking(BigInteger... serials) throws Exception {
        var list = new X509v2CRLBuilder(new X500Name("CN=root"), Date.from(Instant.now()));
        for (var revoked : serials) {
            list.addCRLEntry(revoked, Date.from(Instant.now()), CRLReason.keyCompromise);
        }
        return list.build(new JcaContentSignerBuilder("SHA256withECDSA").build(rootKeys.getPrivate()))
                .getEncoded();
    }

    private JcaX509v3CertificateBuilder builder(
            String subject, KeyPair subjectKeys, String issuer, Instant notBefore, Instant notAfter) {
        return new JcaX509v3CertificateBuilder(
                new X500Principal(issuer),
                BigInteger.valueOf(serial++),
                Date.from(notBefore),
                Date.from(notAfter),
                new X500Principal(subject),
                subjectKeys.getPublic());
    }

    private X509Certificate sign(org.bouncycastle.cert.X509v3CertificateBuilder builder) throws Exception {
        var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(rootKeys.getPrivate());
        return new JcaX509CertificateConverter().getCertificate(builder.build(signer));
    }

    private static KeyPair keys() throws Exception {
        var generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        return generator.generateKeyPair();
    }
}
