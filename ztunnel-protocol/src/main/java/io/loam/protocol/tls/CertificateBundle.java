package io.loam.protocol.tls;

import io.loam.model.identity.SpiffeId;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;

/// A workload's certificate as the CA delivered it, with its private key. Short-lived: once {@link MeshTls#of} has
/// loaded the key into native memory nothing needs the bundle any more, so that no copy of the key stays on the heap.
///
/// @param privateKey of the leaf; never printed
/// @param chain the leaf, then its intermediates, leaf-most first; at least the leaf
/// @param roots what peers' chains must end in; at least one
/// @param identity of the leaf
public record CertificateBundle(
        PrivateKey privateKey, List<X509Certificate> chain, List<X509Certificate> roots, SpiffeId identity) {
    public CertificateBundle {
        chain = List.copyOf(chain);
        roots = List.copyOf(roots);
        if (chain.isEmpty()) {
            throw new IllegalArgumentException("certificate chain: empty (expected: the leaf and its intermediates)");
        }
        if (roots.isEmpty()) {
            throw new IllegalArgumentException("roots: none (expected: at least one root certificate)");
        }
    }

    /// @throws PeerRefusedException if the leaf carries no identity (see {@link PeerIdentities})
    public static CertificateBundle of(PrivateKey privateKey, List<X509Certificate> chain, List<X509Certificate> roots)
            throws PeerRefusedException {
        if (chain.isEmpty()) {
            throw new IllegalArgumentException("certificate chain: empty (expected: the leaf and its intermediates)");
        }
        return new CertificateBundle(privateKey, chain, roots, PeerIdentities.require(chain.getFirst()));
    }

    public X509Certificate leaf() {
        return chain.getFirst();
    }

    public Instant notBefore() {
        return leaf().getNotBefore().toInstant();
    }

    public Instant notAfter() {
        return leaf().getNotAfter().toInstant();
    }

    /// Hides the key.
    @Override
    public String toString() {
        return "CertificateBundle[" + identity + ", serial="
                + leaf().getSerialNumber().toString(16) + ", valid " + notBefore() + " to " + notAfter() + ", "
                + roots.size() + " roots]";
    }
}
