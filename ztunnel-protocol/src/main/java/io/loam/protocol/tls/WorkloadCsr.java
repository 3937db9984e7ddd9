package io.loam.protocol.tls;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.PeerRefusedException.Reason;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.ArrayList;
import java.util.List;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/// A fresh P-256 key and the request to certify it, as every CA of ambient expects it: empty subject, one URI name,
/// the extension critical (wire reference, section 5). The key never leaves this object but inside the bundle that
/// {@link #accept} returns.
public final class WorkloadCsr {
    private final SpiffeId identity;
    private final KeyPair keys;
    private final String pem;

    private WorkloadCsr(SpiffeId identity, KeyPair keys, String pem) {
        this.identity = identity;
        this.keys = keys;
        this.pem = pem;
    }

    /// Takes about a millisecond; not for event loops.
    public static WorkloadCsr generate(SpiffeId identity) {
        try {
            var generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            var keys = generator.generateKeyPair();
            var name = new GeneralName(GeneralName.uniformResourceIdentifier, identity.toString());
            var extensions = new ExtensionsGenerator();
            extensions.addExtension(Extension.subjectAlternativeName, true, new GeneralNames(name));
            var request = new JcaPKCS10CertificationRequestBuilder(new X500Name(""), keys.getPublic())
                    .addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest, extensions.generate())
                    .build(new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate()));
            return new WorkloadCsr(identity, keys, Pem.encode(request));
        } catch (GeneralSecurityException | OperatorCreationException e) {
            throw new IllegalStateException("this Java runtime cannot make P-256 certificate requests", e);
        } catch (IOException e) {
            throw new UncheckedIOException("encoding in memory", e);
        }
    }

    public SpiffeId identity() {
        return identity;
    }

    /// What goes into `IstioCertificateRequest.csr`.
    public String pem() {
        return pem;
    }

    /// Reads the CA's answer, `IstioCertificateResponse.cert_chain`: the leaf, then intermediates, then one last
    /// element that holds all roots.
    ///
    /// @throws GeneralSecurityException if the answer is unreadable, for another key or for another identity
    public CertificateBundle accept(List<String> certChain) throws GeneralSecurityException {
        if (certChain.size() < 2) {
            throw new GeneralSecurityException(
                    "cert_chain: " + certChain.size() + " elements (expected: the leaf, intermediates, all roots)");
        }
        var chain = new ArrayList<X509Certificate>();
        for (var element : certChain.subList(0, certChain.size() - 1)) {
            chain.addAll(Pem.certificates(element));
        }
        var roots = Pem.certificates(certChain.getLast());
        if (chain.isEmpty() || roots.isEmpty()) {
            throw new GeneralSecurityException("cert_chain: " + chain.size() + " certificates and " + roots.size()
                    + " roots (expected: at least one of each)");
        }
        var leaf = chain.getFirst();
        if (!leaf.getPublicKey().equals(keys.getPublic())) {
            throw new GeneralSecurityException("cert_chain: the leaf is for another key than the one requested");
        }
        var issued = PeerIdentities.require(leaf);
        if (!issued.equals(identity)) {
            throw new PeerRefusedException(
                    Reason.UNEXPECTED_IDENTITY, "the CA issued " + issued + " (requested: " + identity + ")");
        }
        return new CertificateBundle(keys.getPrivate(), chain, roots, identity);
    }

    /// Hides the key.
    @Override
    public String toString() {
        return "WorkloadCsr[" + identity + "]";
    }
}
