package io.loam.model.decision;

/// Why a connection is not made or not let in. The names are stable: the agent writes them to its access log.
public enum RefusalReason {
    /// The destination is one of the proxy's own ports.
    LOOP,
    /// The service has no endpoint that is healthy, serves the port and passes the routing preferences.
    NO_HEALTHY_UPSTREAM,
    /// A waypoint has to be passed and cannot be found: going around it would go around its policies.
    WAYPOINT_UNRESOLVED,
    /// The chosen endpoint is on another network and cannot be reached from this one.
    OTHER_NETWORK,
    /// The endpoint has no address of a family that the service allows.
    NO_ADDRESS,
    /// Neither endpoint nor service say which port serves the one that was asked for.
    NO_TARGET_PORT,
    /// The destination speaks HBONE and nobody knows which identity it has to prove.
    NO_IDENTITY,
    /// The workload may only call what the mesh knows (REGISTRY_ONLY), and this is not.
    NOT_IN_REGISTRY,
    /// The way there is known and not implemented.
    UNSUPPORTED,
    /// The CONNECT request's authority is missing or no `ip:port` or `hostname:port`.
    BAD_AUTHORITY,
    /// The CONNECT request is for an address that is not this workload's.
    WRONG_DESTINATION,
    /// The CONNECT request names a host that is no service.
    UNKNOWN_HOSTNAME,
    /// An authorization policy says no.
    POLICY_DENIED
}
