package io.loam.protocol.tls;

import java.math.BigInteger;
import java.security.PublicKey;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import javax.security.auth.x500.X500Principal;

/// The certificates by which a peer proved its identity, reduced to what revocation lists are asked about,
/// so that an open tunnel can be asked again later without keeping its certificates.
///
/// @param links from the peer's own certificate up to the one that a root signed
public record PeerChain(List<Link> links) {
    /// One certificate, in the words of its issuer (RFC 5280, 4.1.2.2: a serial number is unique for each
    /// issuer).
    ///
    /// @param issuerKey with which the certificate was verified; several issuers may go by one name
    public record Link(X500Principal issuer, PublicKey issuerKey, BigInteger serial) {
        @Override
        public String toString() {
            return serial.toString(16) + " of " + issuer.getName();
        }
    }

    public PeerChain {
        links = List.copyOf(links);
    }

    /// @param path verified, leaf first, without its anchor; at least the leaf
    static PeerChain of(List<X509Certificate> path, TrustAnchor anchor) {
        var root = Objects.requireNonNull(anchor.getTrustedCert(), "anchors are made of certificates");
        var links = new ArrayList<Link>(path.size());
        for (int i = 0; i < path.size(); i++) {
            var certificate = path.get(i);
            var issuer = i + 1 < path.size() ? path.get(i + 1) : root;
            links.add(new Link(
                    certificate.getIssuerX500Principal(), issuer.getPublicKey(), certificate.getSerialNumber()));
        }
        return new PeerChain(links);
    }
}
