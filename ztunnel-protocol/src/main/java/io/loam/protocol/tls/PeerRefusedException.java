package io.loam.protocol.tls;

import java.security.cert.CertificateException;
import org.jspecify.annotations.Nullable;

/// A certificate that does not prove what it should. Thrown inside the handshake; {@link #in} finds it again in what
/// Netty reports.
public final class PeerRefusedException extends CertificateException {
    /// Stable, for the access log and metrics.
    public enum Reason {
        /// Does not lead to one of the roots: wrong root, bad signature, expired or not yet valid, broken constraints.
        UNTRUSTED_CHAIN,
        /// Chains correctly, but was not issued for this end of a connection.
        WRONG_PURPOSE,
        /// Not exactly one URI name, or one that is no workload identity.
        NO_IDENTITY,
        /// A workload of a trust domain other than our own.
        FOREIGN_TRUST_DOMAIN,
        /// A workload, but not one of those that may answer at this address.
        UNEXPECTED_IDENTITY,
        /// Was good until its issuer, or the issuer's issuer, took it back.
        REVOKED
    }

    private final Reason reason;

    PeerRefusedException(Reason reason, String detail) {
        super(detail);
        this.reason = reason;
    }

    PeerRefusedException(Reason reason, String detail, Throwable cause) {
        super(detail, cause);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }

    /// For logs: why a handshake failed. Netty's own text says no more than that BoringSSL has a problem where it was
    /// us
    /// who refused.
    public static String describe(Throwable failure) {
        var refused = in(failure);
        return String.valueOf(refused == null ? failure : refused.getMessage());
    }

    /// @return our refusal among the causes of a failed handshake, or null if it failed for another reason
    public static @Nullable PeerRefusedException in(@Nullable Throwable failure) {
        var cause = failure;
        for (int depth = 0; cause != null && depth < 16; depth++) {
            if (cause instanceof PeerRefusedException refused) {
                return refused;
            }
            cause = cause.getCause();
        }
        return null;
    }
}
