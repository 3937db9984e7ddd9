package io.loam.model.decision;

/// Why a connection is not made or not let in. The code is stable: it stands in access logs and metrics.
public enum RefusalReason {
    /// The destination is one of the proxy's own ports.
    LOOP("loop"),
    /// The workload that the connection belongs to is not known to the control plane (yet).
    UNKNOWN_WORKLOAD("unknown_workload"),
    /// The service has no endpoint that is healthy, serves the port and passes the routing preferences.
    NO_HEALTHY_UPSTREAM("no_healthy_upstream"),
    /// A waypoint has to be passed and cannot be found: going around it would go around its policies.
    WAYPOINT_UNRESOLVED("waypoint_unresolved"),
    /// The chosen endpoint is on another network and cannot be reached from this one.
    OTHER_NETWORK("other_network"),
    /// The endpoint has no address of a family that the service allows.
    NO_ADDRESS("no_address"),
    /// Neither endpoint nor service say which port serves the one that was asked for.
    NO_TARGET_PORT("no_target_port"),
    /// The destination speaks HBONE and nobody knows which identity it has to prove.
    NO_IDENTITY("no_identity"),
    /// The way there is known and not implemented.
    UNSUPPORTED("unsupported"),
    /// The CONNECT request's authority is missing or no `ip:port` or `hostname:port`.
    BAD_AUTHORITY("bad_authority"),
    /// The CONNECT request is for an address that is not this workload's.
    WRONG_DESTINATION("wrong_destination"),
    /// The CONNECT request names a host that is no service.
    UNKNOWN_HOSTNAME("unknown_hostname"),
    /// An authorization policy says no.
    POLICY_DENIED("policy_denied");

    private final String code;

    RefusalReason(String code) {
        this.code = code;
    }

    /// Lower-case words with underscores.
    public String code() {
        return code;
    }
}
