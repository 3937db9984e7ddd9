package io.loam.ca;

import io.loam.protocol.tls.Pem;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.jspecify.annotations.Nullable;

/// Certificate requests that no honest agent sends.
final class Csrs {
    private Csrs() {}

    static KeyPair ec(String curve) throws GeneralSecurityException {
        var generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec(curve));
        return generator.generateKeyPair();
    }

    static KeyPair rsa(int bits) throws GeneralSecurityException {
        var generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(bits);
        return generator.generateKeyPair();
    }

    static String plain(KeyPair keys, String signatureAlgorithm)
            throws GeneralSecurityException, OperatorCreationException, IOException {
        return Pem.encode(request(keys, keys, signatureAlgorithm, "CN=x", null, null));
    }

    /// @param signedBy another pair makes the signature wrong
    static PKCS10CertificationRequest request(
            KeyPair keys,
            KeyPair signedBy,
            String signatureAlgorithm,
            String subject,
            @Nullable GeneralNames names,
            @Nullable ExtensionsGenerator extensions)
            throws OperatorCreationException, IOException {
        var builder = new JcaPKCS10CertificationRequestBuilder(new X500Name(subject), keys.getPublic());
        var all = extensions == null ? new ExtensionsGenerator() : extensions;
        if (names != null) {
            all.addExtension(Extension.subjectAlternativeName, false, names);
        }
        if (!all.isEmpty()) {
            builder.addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest, all.generate());
        }
        return builder.build(new JcaContentSignerBuilder(signatureAlgorithm).build(signedBy.getPrivate()));
    }
}
