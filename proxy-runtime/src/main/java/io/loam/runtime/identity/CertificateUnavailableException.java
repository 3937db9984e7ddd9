package io.loam.runtime.identity;

import io.loam.model.identity.SpiffeId;
import org.jspecify.annotations.Nullable;

/// There is no valid certificate for an identity, and this is why.
public final class CertificateUnavailableException extends Exception {
    public CertificateUnavailableException(SpiffeId identity, String reason, @Nullable Throwable cause) {
        super("no certificate for " + identity + ": " + reason, cause);
    }
}
