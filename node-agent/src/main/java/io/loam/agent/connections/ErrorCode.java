package io.loam.agent.connections;

import io.loam.model.decision.RefusalReason;
import io.loam.model.policy.Verdict;
import io.loam.runtime.metrics.FailureFlag;

/// Short, stable names of the reasons why a connection failed: all values of the field `code` of the access log, each
/// with the coarser `response_flags` of the metrics.
public enum ErrorCode {
    // Before anything was decided.
    /// The control plane has not described the pod that the connection belongs to.
    UNKNOWN_SOURCE(FailureFlag.IDENTITY_ERROR),
    /// The CA has not given (or not renewed) this workload's certificate.
    NO_CERTIFICATE(FailureFlag.IDENTITY_ERROR),
    /// A limit is reached (`ConnectionLimits`), or too many wait for the same tunnel.
    OVERLOADED(FailureFlag.CONNECT),

    // What the mesh says about the destination, see RefusalReason.
    LOOP(FailureFlag.CONNECT),
    UNKNOWN_WORKLOAD(FailureFlag.IDENTITY_ERROR),
    NO_HEALTHY_UPSTREAM(FailureFlag.CONNECT),
    WAYPOINT_UNRESOLVED(FailureFlag.CONNECT),
    OTHER_NETWORK(FailureFlag.CONNECT),
    NO_ADDRESS(FailureFlag.CONNECT),
    NO_TARGET_PORT(FailureFlag.CONNECT),
    NO_IDENTITY(FailureFlag.IDENTITY_ERROR),
    /// The pod may only call what the mesh knows.
    NOT_IN_REGISTRY(FailureFlag.DENY),
    UNSUPPORTED(FailureFlag.CONNECT),
    BAD_AUTHORITY(FailureFlag.CONNECT),
    WRONG_DESTINATION(FailureFlag.CONNECT),
    UNKNOWN_HOSTNAME(FailureFlag.CONNECT),
    /// The endpoint has a host name only.
    UNRESOLVED(FailureFlag.CONNECT),

    // Policies.
    /// An authorization policy of this side says no.
    POLICY_DENIED(FailureFlag.DENY),
    /// The workload names a policy that the control plane has not sent, or that could not be read.
    POLICY_UNKNOWN(FailureFlag.DENY),
    /// It allowed the connection and does not any more.
    POLICY_CHANGED(FailureFlag.DENY),
    /// The other side of the tunnel answered that its policies say no.
    PEER_DENIED(FailureFlag.DENY),

    // On the way there.
    /// The connection to the destination, or to the application, was not made.
    DIAL_FAILED(FailureFlag.CONNECT),
    /// One side of the tunnel did not accept the other's certificate.
    TLS_REFUSED(FailureFlag.TLS_FAILURE),
    TUNNEL_SETUP(FailureFlag.H2_HANDSHAKE_FAILURE),
    /// Nobody answered on the tunnel's port, as it is where a NetworkPolicy forgets it.
    TUNNEL_TIMEOUT(FailureFlag.NETWORK_POLICY),
    /// The other side of the tunnel answered that it cannot reach the application.
    PEER_REFUSED(FailureFlag.CONNECT),
    /// Whoever called did not wait for the answer.
    GAVE_UP(FailureFlag.CONNECT),

    // Once bytes flowed.
    RESET(FailureFlag.CONNECT),
    /// The process ends and the time for open connections was over.
    DRAINED(FailureFlag.CONNECT),
    /// The pod does not run any more and left it open.
    POD_ENDED(FailureFlag.CONNECT),

    /// An error of our own.
    BUG(FailureFlag.CONNECT);

    private final FailureFlag flag;

    ErrorCode(FailureFlag flag) {
        this.flag = flag;
    }

    public FailureFlag flag() {
        return flag;
    }

    /// The code of a verdict that is a refusal.
    ///
    /// @throws IllegalArgumentException if it allows
    public static ErrorCode of(Verdict refusal) {
        return switch (refusal) {
            case Verdict.Denied _, Verdict.NotMatched _ -> POLICY_DENIED;
            case Verdict.Undecided _ -> POLICY_UNKNOWN;
            case Verdict.Allowed _ -> throw new IllegalArgumentException("verdict: " + refusal + " is no refusal");
        };
    }

    /// The code of the same name.
    public static ErrorCode of(RefusalReason reason) {
        return switch (reason) {
            case LOOP -> LOOP;
            case UNKNOWN_WORKLOAD -> UNKNOWN_WORKLOAD;
            case NO_HEALTHY_UPSTREAM -> NO_HEALTHY_UPSTREAM;
            case WAYPOINT_UNRESOLVED -> WAYPOINT_UNRESOLVED;
            case OTHER_NETWORK -> OTHER_NETWORK;
            case NO_ADDRESS -> NO_ADDRESS;
            case NO_TARGET_PORT -> NO_TARGET_PORT;
            case NO_IDENTITY -> NO_IDENTITY;
            case NOT_IN_REGISTRY -> NOT_IN_REGISTRY;
            case UNSUPPORTED -> UNSUPPORTED;
            case BAD_AUTHORITY -> BAD_AUTHORITY;
            case WRONG_DESTINATION -> WRONG_DESTINATION;
            case UNKNOWN_HOSTNAME -> UNKNOWN_HOSTNAME;
            case POLICY_DENIED -> POLICY_DENIED;
        };
    }
}
