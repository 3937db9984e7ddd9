package io.loam.runtime.identity;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.CertificateBundle;
import java.io.IOException;
import java.security.GeneralSecurityException;

/// Who certifies workloads.
@FunctionalInterface
public interface CertificateAuthority {
    /// Blocks; called on virtual threads.
    ///
    /// @return a certificate for exactly `identity`
    /// @throws IOException if the authority cannot be reached or refuses, with its reason
    /// @throws GeneralSecurityException if its answer does not hold what was asked for
    CertificateBundle certify(SpiffeId identity) throws IOException, GeneralSecurityException;
}
