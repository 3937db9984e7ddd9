package io.loam.protocol.tls;

import java.io.ByteArrayInputStream;
import java.math.BigInteger;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERIA5String;
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
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/// A certificate authority for tests, able to make what no honest one would.
final class CraftedCertificates {
    static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");

    private final KeyPair keys = newKeys();
    private final X500Name name;
    private final X509Certificate certificate;

    CraftedCertificates(String name) {
        this.name = new X500Name("CN=" + name);
        this.certificate =
                build(this.name, this.keys.getPrivate(), new Leaf().ca().named(this.name), keys);
    }

    private CraftedCertificates(CraftedCertificates issuer, String name) {
        this.name = new X500Name("CN=" + name);
        this.certificate =
                build(issuer.name, issuer.keys.getPrivate(), new Leaf().ca().named(this.name), keys);
    }

    X509Certificate root() {
        return certificate;
    }

    CraftedCertificates intermediate(String name) {
        return new CraftedCertificates(this, name);
    }

    Issued issue(Leaf leaf) {
        var leafKeys = newKeys();
        return new Issued(leafKeys.getPrivate(), build(name, keys.getPrivate(), leaf, leafKeys));
    }

    /// @return DER; Java may refuse to read it
    byte[] encode(Leaf leaf) {
        return encode(name, keys.getPrivate(), leaf, newKeys());
    }

    Issued workload(String uri) {
        return issue(new Leaf().uri(uri));
    }

    /// @return this CA's revocation list, DER
    byte[] revoking(BigInteger... serials) {
        return revoking(List.of(), serials);
    }

    byte[] revoking(List<CriticalExtension> extensions, BigInteger... serials) {
        try {
            var builder = new X509v2CRLBuilder(name, Date.from(NOW.minus(Duration.ofDays(900))));
            for (var serial : serials) {
                builder.addCRLEntry(serial, Date.from(NOW), CRLReason.keyCompromise);
            }
            for (var extension : extensions) {
                builder.addExtension(extension.id(), true, extension.value());
            }
            return builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate()))
                    .getEncoded();
        } catch (Exception e) {
            throw new AssertionError("cannot craft a list", e);
        }
    }

    record CriticalExtension(ASN1ObjectIdentifier id, ASN1Encodable value) {}

    /// A leaf of this CA for `identity`, trusting `root`.
    CertificateBundle bundle(String uri, X509Certificate... roots) throws PeerRefusedException {
        var issued = workload(uri);
        return CertificateBundle.of(issued.key(), List.of(issued.certificate()), List.of(roots));
    }

    record Issued(PrivateKey key, X509Certificate certificate) {}

    /// What goes into a certificate; starts as an honest workload's without names.
    static final class Leaf {
        private final List<GeneralName> names = new ArrayList<>();
        private X500Name subject = new X500Name("");
        private Instant notBefore = NOW.minus(Duration.ofMinutes(2));
        private Instant notAfter = NOW.plus(Duration.ofHours(24));
        private KeyPurposeId[] purposes = {KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth};
        private boolean ca;

        Leaf uri(String uri) {
            return san(new GeneralName(GeneralName.uniformResourceIdentifier, new DERIA5String(uri)));
        }

        Leaf san(GeneralName san) {
            names.add(san);
            return this;
        }

        Leaf valid(Instant from, Instant to) {
            notBefore = from;
            notAfter = to;
            return this;
        }

        Leaf purposes(KeyPurposeId... only) {
            purposes = only.clone();
            return this;
        }

        Leaf ca() {
            ca = true;
            return this;
        }

        Leaf named(X500Name name) {
            subject = name;
            notAfter = NOW.plus(Duration.ofDays(3650));
            purposes = new KeyPurposeId[0];
            return this;
        }
    }

    private static X509Certificate build(X500Name issuer, PrivateKey signer, Leaf leaf, KeyPair keys) {
        try {
            var der = new ByteArrayInputStream(encode(issuer, signer, leaf, keys));
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(der);
        } catch (CertificateException e) {
            throw new AssertionError("Java cannot read " + leaf.names, e);
        }
    }

    private static byte[] encode(X500Name issuer, PrivateKey signer, Leaf leaf, KeyPair keys) {
        try {
            var builder = new JcaX509v3CertificateBuilder(
                    issuer,
                    BigInteger.valueOf(System.nanoTime()),
                    Date.from(leaf.notBefore),
                    Date.from(leaf.notAfter),
                    leaf.subject,
                    keys.getPublic());
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(leaf.ca));
            builder.addExtension(
                    Extension.keyUsage,
                    true,
                    new KeyUsage(
                            leaf.ca ? KeyUsage.keyCertSign | KeyUsage.digitalSignature : KeyUsage.digitalSignature));
            if (leaf.purposes.length > 0) {
                builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(leaf.purposes));
            }
            if (!leaf.names.isEmpty()) {
                builder.addExtension(
                        Extension.subjectAlternativeName,
                        leaf.subject.getRDNs().length == 0,
                        new GeneralNames(leaf.names.toArray(GeneralName[]::new)));
            }
            return builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(signer))
                    .getEncoded();
        } catch (Exception e) {
            throw new AssertionError("cannot craft " + leaf.names, e);
        }
    }

    private static KeyPair newKeys() {
        try {
            var generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
