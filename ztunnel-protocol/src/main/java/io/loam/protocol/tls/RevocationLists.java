package io.loam.protocol.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.cert.CRLException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.IssuingDistributionPoint;
import org.bouncycastle.util.io.pem.PemReader;

/// What certificate authorities have revoked, as one file says it (RFC 5280, section 5). As the wire
/// reference, 2.1, has it: every certificate of a chain is looked up; one that no list speaks about counts
/// as good; how old a list is does not matter.
///
/// A list speaks about the certificates that its own signer issued: same name **and** same key, since two
/// generations of
/// a root often share their name. One that claims an issuer's name and is signed by none of its keys
/// speaks about nobody, so that nobody is locked out by it.
///
/// Immutable and thread-safe.
public final class RevocationLists {
    public static final RevocationLists EMPTY = new RevocationLists(List.of());

    private static final byte DER_SEQUENCE = 0x30;
    private static final String PEM_TYPE = "X509 CRL"; // RFC 7468, 6

    private final List<X509CRL> lists;

    /// Signatures are checked once for each list and key, not in each handshake.
    private final Map<Signature, Boolean> verified = new ConcurrentHashMap<>();

    private record Signature(X509CRL list, PublicKey key) {}

    private RevocationLists(List<X509CRL> lists) {
        this.lists = List.copyOf(lists);
    }

    /// @param file any number of lists in PEM, or one after the other in DER; blank: nothing is revoked
    /// @throws GeneralSecurityException if any part of it is not understood in full: a list that is cut
    ///     off or comes in a form we do not know (changes to another list, lists of several issuers) must
    ///     not pass for a short one
    public static RevocationLists read(byte[] file) throws GeneralSecurityException {
        var lists = file.length > 0 && file[0] == DER_SEQUENCE ? der(file) : pem(file);
        for (var list : lists) {
            requireUnderstood(list);
        }
        return new RevocationLists(lists);
    }

    private static List<X509CRL> der(byte[] file) throws GeneralSecurityException {
        var factory = CertificateFactory.getInstance("X.509");
        var in = new ByteArrayInputStream(file);
        var lists = new ArrayList<X509CRL>();
        while (in.available() > 0) {
            if (file[file.length - in.available()] != DER_SEQUENCE) {
                throw new CRLException("list " + (lists.size() + 1) + ": no DER (expected: a certificate list)");
            }
            lists.add(one(factory, in, lists.size() + 1));
        }
        return lists;
    }

    private static List<X509CRL> pem(byte[] file) throws GeneralSecurityException {
        var text = new String(file, StandardCharsets.ISO_8859_1);
        var factory = CertificateFactory.getInstance("X.509");
        var lists = new ArrayList<X509CRL>();
        try (var in = new PemReader(new StringReader(text))) {
            for (var block = in.readPemObject(); block != null; block = in.readPemObject()) {
                if (!block.getType().equals(PEM_TYPE)) {
                    throw new CRLException(
                            "block " + (lists.size() + 1) + ": " + block.getType() + " (expected: " + PEM_TYPE + ")");
                }
                var content = new ByteArrayInputStream(block.getContent());
                lists.add(one(factory, content, lists.size() + 1));
                if (content.available() > 0) {
                    throw new CRLException("list " + lists.size() + ": " + content.available() + " bytes too many");
                }
            }
        } catch (IOException | RuntimeException e) { // unchecked: what its decoder of base 64 throws
            throw new CRLException("block " + (lists.size() + 1) + ": " + e.getMessage(), e);
        }
        if (lists.isEmpty() && !text.isBlank()) {
            throw new CRLException("no list in it (expected: DER, or PEM with blocks of type " + PEM_TYPE + ")");
        }
        return lists;
    }

    private static X509CRL one(CertificateFactory factory, ByteArrayInputStream in, int number) throws CRLException {
        try {
            return (X509CRL) factory.generateCRL(in);
        } catch (CRLException | RuntimeException e) {
            throw new CRLException("list " + number + ": unreadable: " + e.getMessage(), e);
        }
    }

    private static void requireUnderstood(X509CRL list) throws CRLException {
        var name = "list of " + list.getIssuerX500Principal().getName();
        var critical = list.getCriticalExtensionOIDs();
        for (var extension : critical == null ? List.<String>of() : critical) {
            if (extension.equals(Extension.deltaCRLIndicator.getId())) {
                throw new CRLException(name + ": has only changes to another list (expected: a complete one)");
            }
            if (!extension.equals(Extension.issuingDistributionPoint.getId())) {
                throw new CRLException(name + ": critical extension " + extension + " is not known");
            }
        }
        var point = list.getExtensionValue(Extension.issuingDistributionPoint.getId());
        if (point != null && isIndirect(point, name)) {
            throw new CRLException(name + ": speaks for several issuers (expected: one list for each)");
        }
    }

    private static boolean isIndirect(byte[] point, String name) throws CRLException {
        try {
            return IssuingDistributionPoint.getInstance(
                            ASN1OctetString.getInstance(point).getOctets())
                    .isIndirectCRL();
        } catch (RuntimeException e) {
            throw new CRLException(name + ": unreadable issuing distribution point", e);
        }
    }

    /// @return serial number and issuer of the first certificate in the chain that is revoked
    public Optional<String> revoked(PeerChain peer) {
        for (var link : peer.links()) {
            for (var list : lists) {
                if (list.getIssuerX500Principal().equals(link.issuer())
                        && list.getRevokedCertificate(link.serial()) != null
                        && isSigned(list, link.issuerKey())) {
                    return Optional.of("certificate " + link + " is revoked");
                }
            }
        }
        return Optional.empty();
    }

    private boolean isSigned(X509CRL list, PublicKey key) {
        return verified.computeIfAbsent(new Signature(list, key), RevocationLists::verify);
    }

    private static boolean verify(Signature of) {
        try {
            of.list.verify(of.key);
            return true;
        } catch (GeneralSecurityException _) {
            return false; // somebody else of the same name, see above
        }
    }

    /// How many certificates are revoked, in all lists together.
    public int size() {
        int sum = 0;
        for (var list : lists) {
            var entries = list.getRevokedCertificates();
            sum += entries == null ? 0 : entries.size();
        }
        return sum;
    }

    /// How many lists there are.
    public int lists() {
        return lists.size();
    }
}
