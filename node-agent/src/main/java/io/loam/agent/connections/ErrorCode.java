package io.loam.agent.connections;

import io.loam.runtime.metrics.FailureFlag;

/// Short, stable names of the reasons why a connection failed: the field `code` of the access log. Reasons of the
/// routing decision have names of their own (`RefusalReason`).
public enum ErrorCode {
    UNKNOWN_SOURCE(FailureFlag.IDENTITY_ERROR),
    NO_CERTIFICATE(FailureFlag.IDENTITY_ERROR),
    TLS_REFUSED(FailureFlag.TLS_FAILURE),
    TUNNEL_SETUP(FailureFlag.H2_HANDSHAKE_FAILURE),
    TUNNEL_TIMEOUT(FailureFlag.NETWORK_POLICY),
    DIAL_FAILED(FailureFlag.CONNECT),
    UNRESOLVED(FailureFlag.CONNECT),
    PEER_REFUSED(FailureFlag.CONNECT),
    PEER_DENIED(FailureFlag.DENY),
    POLICY_DENIED(FailureFlag.DENY),
    BAD_TARGET(FailureFlag.CONNECT),
    OWN_PORT(FailureFlag.CONNECT),
    RESET(FailureFlag.CONNECT),
    POLICY_CHANGED(FailureFlag.DENY),
    DRAINED(FailureFlag.CONNECT),
    GAVE_UP(FailureFlag.CONNECT),
    OVERLOADED(FailureFlag.CONNECT),
    BUG(FailureFlag.CONNECT);

    private final FailureFlag flag;

    ErrorCode(FailureFlag flag) {
        this.flag = flag;
    }

    public FailureFlag flag() {
        return flag;
    }
}
