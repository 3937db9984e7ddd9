package io.loam.protocol.tls;

import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.openssl.PEMException;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemWriter;

/// PEM text to certificates, keys and requests, and back. Messages never contain the text, which may be a key.
public final class Pem {
    private Pem() {}

    /// @return all certificates in the text, in their order; other blocks are skipped
    /// @throws GeneralSecurityException if a block is unreadable
    public static List<X509Certificate> certificates(String pem) throws GeneralSecurityException {
        var certificates = new ArrayList<X509Certificate>();
        for (var block : blocks(pem)) {
            if (block instanceof X509CertificateHolder holder) {
                certificates.add(new JcaX509CertificateConverter().getCertificate(holder));
            }
        }
        return List.copyOf(certificates);
    }

    /// Reads PKCS#8 (`PRIVATE KEY`) and SEC 1 (`EC PRIVATE KEY`), unencrypted.
    ///
    /// @throws GeneralSecurityException if the text holds no private key or an unreadable one
    public static PrivateKey privateKey(String pem) throws GeneralSecurityException {
        var converter = new JcaPEMKeyConverter();
        try {
            for (var block : blocks(pem)) {
                if (block instanceof PrivateKeyInfo info) {
                    return converter.getPrivateKey(info);
                }
                if (block instanceof PEMKeyPair pair) {
                    return converter.getPrivateKey(pair.getPrivateKeyInfo());
                }
            }
        } catch (PEMException e) {
            throw new GeneralSecurityException("unreadable private key", e);
        }
        throw new GeneralSecurityException("no PRIVATE KEY block (expected: an unencrypted key in PKCS#8 or SEC 1)");
    }

    /// @throws GeneralSecurityException if the text holds no certificate request or an unreadable one
    public static PKCS10CertificationRequest request(String pem) throws GeneralSecurityException {
        for (var block : blocks(pem)) {
            if (block instanceof PKCS10CertificationRequest request) {
                return request;
            }
        }
        throw new GeneralSecurityException("no CERTIFICATE REQUEST block");
    }

    public static String encode(X509Certificate certificate) {
        try {
            return block("CERTIFICATE", certificate.getEncoded());
        } catch (GeneralSecurityException e) {
            throw new IllegalArgumentException("certificate without an encoding", e);
        }
    }

    /// @return the certificates one after the other
    public static String encode(Collection<X509Certificate> certificates) {
        var text = new StringBuilder();
        certificates.forEach(certificate -> text.append(encode(certificate)));
        return text.toString();
    }

    /// @return PKCS#8
    public static String encode(PrivateKey key) {
        var encoded = key.getEncoded();
        if (encoded == null) {
            throw new IllegalArgumentException("private key without an encoding (a hardware key?)");
        }
        return block("PRIVATE KEY", encoded);
    }

    public static String encode(PKCS10CertificationRequest request) {
        try {
            return block("CERTIFICATE REQUEST", request.getEncoded());
        } catch (IOException e) {
            throw new UncheckedIOException("certificate request without an encoding", e);
        }
    }

    private static List<Object> blocks(String pem) throws GeneralSecurityException {
        var blocks = new ArrayList<>();
        try (var parser = new PEMParser(new StringReader(pem))) {
            for (var block = parser.readObject(); block != null; block = parser.readObject()) {
                blocks.add(block);
            }
        } catch (IOException | IllegalArgumentException | IllegalStateException e) {
            throw new GeneralSecurityException("unreadable PEM block " + (blocks.size() + 1), e);
        }
        return blocks;
    }

    private static String block(String type, byte[] encoded) {
        var text = new StringWriter();
        try (var writer = new PemWriter(text)) {
            writer.writeObject(new PemObject(type, encoded));
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory", e);
        }
        return text.toString();
    }
}
