package io.loam.ca;

import io.loam.protocol.tls.Pem;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;

/// A fresh leaf with everything peers need to verify it.
///
/// @param intermediates from the leaf's issuer up, without roots; empty where a root signs itself
/// @param root the one of `roots` it was issued under
/// @param roots all that are trusted now, several while a root is replaced
public record IssuedCertificate(
        X509Certificate leaf, List<X509Certificate> intermediates, X509Certificate root, List<X509Certificate> roots) {
    public IssuedCertificate {
        intermediates = List.copyOf(intermediates);
        roots = List.copyOf(roots);
    }

    /// `IstioCertificateResponse.cert_chain` (wire reference, section 5): the leaf, each intermediate, and one
    /// last element that holds all roots.
    public List<String> certChain() {
        var elements = new ArrayList<String>();
        elements.add(Pem.encode(leaf));
        intermediates.forEach(intermediate -> elements.add(Pem.encode(intermediate)));
        elements.add(Pem.encode(roots));
        return List.copyOf(elements);
    }
}
