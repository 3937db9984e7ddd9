package io.loam.protocol.tls;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.PeerRefusedException.Reason;
import java.security.cert.X509Certificate;
import java.util.Optional;
import org.bouncycastle.asn1.ASN1IA5String;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;

/// Reads the workload identity of a certificate: its one URI subject alternative name.
///
/// X.509-SVID, section 2: exactly one URI, other types of names may stand beside it and mean nothing here. The name is
/// taken from the encoded bytes and not through `X509Certificate.getSubjectAlternativeNames`, which parses URIs
/// leniently. No percent-decoding, no case folding, no cutting at NUL: what {@link SpiffeId#parse} does not accept
/// as it stands is no identity.
public final class PeerIdentities {
    private PeerIdentities() {}

    /// @return empty if the certificate has no URI name, several, or one that is no workload identity
    public static Optional<SpiffeId> of(X509Certificate certificate) {
        try {
            return Optional.of(require(certificate));
        } catch (PeerRefusedException _) {
            return Optional.empty();
        }
    }

    /// @throws PeerRefusedException with {@link Reason#NO_IDENTITY} and what was found instead
    public static SpiffeId require(X509Certificate certificate) throws PeerRefusedException {
        var extension = certificate.getExtensionValue(Extension.subjectAlternativeName.getId());
        if (extension == null) {
            throw noIdentity("no subject alternative name");
        }
        GeneralName uri = null;
        try {
            var names = GeneralNames.getInstance(
                    ASN1OctetString.getInstance(extension).getOctets());
            for (var name : names.getNames()) {
                if (name.getTagNo() != GeneralName.uniformResourceIdentifier) {
                    continue;
                }
                if (uri != null) {
                    throw noIdentity("several URI names");
                }
                uri = name;
            }
        } catch (IllegalArgumentException | IllegalStateException e) {
            throw new PeerRefusedException(Reason.NO_IDENTITY, "unreadable subject alternative name", e);
        }
        if (uri == null) {
            throw noIdentity("no URI name");
        }
        var text = ASN1IA5String.getInstance(uri.getName()).getString();
        return SpiffeId.parse(text).orElseThrow(() -> noIdentity("URI name \"" + printable(text) + "\""));
    }

    private static PeerRefusedException noIdentity(String found) {
        return new PeerRefusedException(
                Reason.NO_IDENTITY,
                found
                        + " (expected: exactly one URI name of the form spiffe://<trust domain>/ns/<namespace>/sa/<service"
                        + " account>)");
    }

    /// The name comes from a stranger: what goes into a log is short and has no control characters.
    static String printable(String text) {
        var shortened = text.length() > 200 ? text.substring(0, 200) + "…" : text;
        var printable = new StringBuilder(shortened.length());
        shortened.chars().forEach(c -> printable.append(c < 0x20 || c == 0x7f || c == '"' ? '?' : (char) c));
        return printable.toString();
    }
}
