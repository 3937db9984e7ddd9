package io.loam.model.failure;

import io.loam.model.decision.RefusalReason;
import io.loam.model.policy.Verdict;

/// Short, stable names of the reasons why a connection failed: all values of the field `code` of the access log, at
/// either end of a tunnel. Users search logs for them and `loam explain` tells what they mean, so a name is never
/// changed and never used for something else.
public enum ErrorCode {
    // Before anything was decided.
    /// The control plane has not described the pod that the connection belongs to.
    UNKNOWN_SOURCE,
    /// The CA has not given (or not renewed) this workload's certificate.
    NO_CERTIFICATE,
    /// A limit is reached (`ConnectionLimits`), or too many wait for the same tunnel.
    OVERLOADED,
    /// The control plane has not said whom the destination's address belongs to, where the agent knows the mesh
    /// in parts (`XDS_ON_DEMAND`).
    UNKNOWN_DESTINATION,
    /// A tunnel to a pod that the control plane has taken back meanwhile.
    UNKNOWN_WORKLOAD,

    // What the mesh says about the destination, see RefusalReason.
    LOOP,
    NO_HEALTHY_UPSTREAM,
    WAYPOINT_UNRESOLVED,
    OTHER_NETWORK,
    NO_ADDRESS,
    NO_TARGET_PORT,
    NO_IDENTITY,
    /// The pod may only call what the mesh knows.
    NOT_IN_REGISTRY,
    UNSUPPORTED,
    BAD_AUTHORITY,
    WRONG_DESTINATION,
    UNKNOWN_HOSTNAME,
    /// The endpoint has a host name only, and no address was found for it.
    UNRESOLVED,

    // Policies.
    /// An authorization policy of this side says no.
    POLICY_DENIED,
    /// The workload names a policy that the control plane has not sent, or that could not be read.
    POLICY_UNKNOWN,
    /// It allowed the connection and does not any more.
    POLICY_CHANGED,
    /// The other side of the tunnel answered that its policies say no.
    PEER_DENIED,

    // On the way there.
    /// The connection to the destination, or to the application, was not made.
    DIAL_FAILED,
    /// One side of the tunnel did not accept the other's certificate.
    TLS_REFUSED,
    /// The peer's certificate is on a revocation list: its handshake was refused, or its tunnel cut.
    CERT_REVOKED,
    TUNNEL_SETUP,
    /// Nobody answered on the tunnel's port, as it is where a NetworkPolicy forgets it.
    TUNNEL_TIMEOUT,
    /// The other side of the tunnel answered that it cannot reach the application.
    PEER_REFUSED,
    /// Whoever called did not wait for the answer.
    GAVE_UP,

    // Once bytes flowed.
    RESET,
    /// The process ends and the time for open connections was over.
    DRAINED,
    /// The pod does not run any more and left it open.
    POD_ENDED,

    /// An error of our own.
    BUG;

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
