package io.loam.protocol.rpc;

import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;

/// What a server proves its host name with.
///
/// @param chain the leaf, then its intermediates; at least the leaf
public record ServingCertificate(PrivateKey privateKey, List<X509Certificate> chain) {
    public ServingCertificate {
        chain = List.copyOf(chain);
        if (chain.isEmpty()) {
            throw new IllegalArgumentException("serving certificate: no certificate (expected: at least the leaf)");
        }
    }

    /// When to take the next one: half of the lifetime, as for workloads.
    Instant renewAt() {
        var notBefore = chain.getFirst().getNotBefore().toInstant();
        var notAfter = chain.getFirst().getNotAfter().toInstant();
        return notBefore.plusMillis((notAfter.toEpochMilli() - notBefore.toEpochMilli()) / 2);
    }

    /// Hides the key.
    @Override
    public String toString() {
        var leaf = chain.getFirst();
        return "ServingCertificate[serial=" + leaf.getSerialNumber().toString(16) + ", until "
                + leaf.getNotAfter().toInstant() + "]";
    }
}
