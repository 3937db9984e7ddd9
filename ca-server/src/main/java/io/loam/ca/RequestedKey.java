package io.loam.ca;

import java.io.IOException;
import java.io.StringReader;
import java.util.Set;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.pkcs.CertificationRequest;
import org.bouncycastle.asn1.sec.SECObjectIdentifiers;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.asn1.x9.X962Parameters;
import org.bouncycastle.asn1.x9.X9ObjectIdentifiers;
import org.bouncycastle.crypto.util.PublicKeyFactory;
import org.bouncycastle.crypto.util.SubjectPublicKeyInfoFactory;
import org.bouncycastle.operator.DefaultDigestAlgorithmIdentifierFinder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.bc.BcECContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.PKCSException;
import org.bouncycastle.util.io.pem.PemReader;

/// The one thing a certificate request is asked for: a public key, and the proof that the caller holds its
/// private half (hazard I3). Names, extensions and everything else in the request are not even looked at.
///
/// @param info encoded anew from the point on the curve, so that no byte of the request gets into a certificate
record RequestedKey(SubjectPublicKeyInfo info) {
    /// A request for P-521 with a name takes about 1 KB.
    private static final int MAX_PEM_CHARS = 16 * 1024;

    private static final Set<ASN1ObjectIdentifier> CURVES =
            Set.of(SECObjectIdentifiers.secp256r1, SECObjectIdentifiers.secp384r1, SECObjectIdentifiers.secp521r1);
    private static final Set<ASN1ObjectIdentifier> SIGNATURES = Set.of(
            X9ObjectIdentifiers.ecdsa_with_SHA256,
            X9ObjectIdentifiers.ecdsa_with_SHA384,
            X9ObjectIdentifiers.ecdsa_with_SHA512);

    static RequestedKey of(String csrPem) throws RequestRefusedException {
        var request = parse(csrPem);
        var asked = request.getSubjectPublicKeyInfo();
        var algorithm = asked.getAlgorithm();
        if (!algorithm.getAlgorithm().equals(X9ObjectIdentifiers.id_ecPublicKey)) {
            throw new RequestRefusedException("csr: public key of type " + algorithm.getAlgorithm()
                    + " (expected: elliptic curve, P-256 or stronger)");
        }
        try {
            var curve = X962Parameters.getInstance(algorithm.getParameters());
            if (!curve.isNamedCurve() || !CURVES.contains(ASN1ObjectIdentifier.getInstance(curve.getParameters()))) {
                throw new RequestRefusedException("csr: elliptic curve "
                        + (curve.isNamedCurve() ? curve.getParameters() : "with parameters of its own")
                        + " (expected: P-256, P-384 or P-521 by name)");
            }
            var signature = request.getSignatureAlgorithm().getAlgorithm();
            if (!SIGNATURES.contains(signature)) {
                throw new RequestRefusedException("csr: signature algorithm " + signature
                        + " (expected: ECDSA with SHA-256, SHA-384 or SHA-512)");
            }
            var key = PublicKeyFactory.createKey(asked); // refuses points that are not on the curve
            var verifier = new BcECContentVerifierProviderBuilder(new DefaultDigestAlgorithmIdentifierFinder());
            if (!request.isSignatureValid(verifier.build(key))) {
                throw new RequestRefusedException("csr: wrong signature (expected: made with the requested key)");
            }
            return new RequestedKey(SubjectPublicKeyInfoFactory.createSubjectPublicKeyInfo(key));
        } catch (IOException | OperatorCreationException | PKCSException e) {
            throw new RequestRefusedException("csr: unreadable public key or signature", e);
        } catch (RuntimeException e) { // what the ASN.1 classes throw for content of the wrong shape
            throw new RequestRefusedException("csr: malformed public key or signature", e);
        }
    }

    /// Only the first block, and only if it is a request: no other kind of PEM object is ever parsed for a
    /// caller.
    private static PKCS10CertificationRequest parse(String csrPem) throws RequestRefusedException {
        if (csrPem.length() > MAX_PEM_CHARS) {
            throw new RequestRefusedException(
                    "csr: " + csrPem.length() + " characters (expected: <= " + MAX_PEM_CHARS + ")");
        }
        try (var reader = new PemReader(new StringReader(csrPem))) {
            var block = reader.readPemObject();
            if (block == null
                    || !(block.getType().equals("CERTIFICATE REQUEST")
                            || block.getType().equals("NEW CERTIFICATE REQUEST"))) {
                throw new RequestRefusedException("csr: no PEM block CERTIFICATE REQUEST");
            }
            return new PKCS10CertificationRequest(CertificationRequest.getInstance(block.getContent()));
        } catch (IOException | RuntimeException e) {
            throw new RequestRefusedException("csr: unreadable", e);
        }
    }
}
