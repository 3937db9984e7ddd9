package io.loam.agent.connections;

import io.loam.model.failure.ErrorCode;
import io.loam.protocol.tls.PeerRefusedException;
import io.loam.runtime.metrics.FailureFlag;

/// The coarser `response_flags` of the metrics for the codes of the access log.
public final class ErrorFlags {
    private ErrorFlags() {}

    /// The code of a handshake that failed.
    public static ErrorCode ofHandshake(Throwable cause) {
        var refused = PeerRefusedException.in(cause);
        return refused != null && refused.reason() == PeerRefusedException.Reason.REVOKED
                ? ErrorCode.CERT_REVOKED
                : ErrorCode.TLS_REFUSED;
    }

    public static FailureFlag of(ErrorCode code) {
        return switch (code) { // no default: a new code must not compile until it has a flag
            case UNKNOWN_SOURCE, NO_CERTIFICATE, UNKNOWN_WORKLOAD, NO_IDENTITY -> FailureFlag.IDENTITY_ERROR;
            case OVERLOADED,
                    UNKNOWN_DESTINATION,
                    LOOP,
                    NO_HEALTHY_UPSTREAM,
                    WAYPOINT_UNRESOLVED,
                    OTHER_NETWORK,
                    NO_ADDRESS,
                    NO_TARGET_PORT,
                    UNSUPPORTED,
                    BAD_AUTHORITY,
                    WRONG_DESTINATION,
                    UNKNOWN_HOSTNAME,
                    UNRESOLVED,
                    DIAL_FAILED,
                    PEER_REFUSED,
                    GAVE_UP,
                    RESET,
                    DRAINED,
                    POD_ENDED,
                    BUG -> FailureFlag.CONNECT;
            case NOT_IN_REGISTRY, POLICY_DENIED, POLICY_UNKNOWN, POLICY_CHANGED, PEER_DENIED -> FailureFlag.DENY;
            case TLS_REFUSED -> FailureFlag.TLS_FAILURE;
            case CERT_REVOKED -> FailureFlag.CERT_REVOKED;
            case TUNNEL_SETUP -> FailureFlag.H2_HANDSHAKE_FAILURE;
            case TUNNEL_TIMEOUT -> FailureFlag.NETWORK_POLICY;
        };
    }
}
