package io.loam.agent.dns;

/// Why a query got no answer, or not the one that was asked for: the values of the label `reason` of
/// `loam_dns_refused_total`.
enum Refusal {
    /// Not a DNS message, or none with one question.
    MALFORMED("malformed"),
    /// An answer came where queries are expected. Dropped: whoever answers answers with answers can be made to
    /// do so for ever.
    NOT_A_QUERY("not_a_query"),
    /// An operation other than QUERY (RFC 1035, 4.1.1).
    OPERATION("operation"),
    /// A version of EDNS that is not 0 (RFC 6891, 6.1.3).
    EDNS_VERSION("edns_version"),
    /// The control plane has not described the pod that asks.
    UNKNOWN_SOURCE("unknown_source"),
    /// The workload may reach what the mesh knows and nothing else, and this is not such a name. Answered NXDOMAIN: the
    /// question alone would carry data out.
    EGRESS("egress"),
    /// As many queries of this pod as are allowed wait for their resolvers.
    POD_LIMIT("pod_limit"),
    /// The same for the node.
    NODE_LIMIT("node_limit"),
    /// As many connections of this pod's programs as are allowed are open.
    CONNECTION_LIMIT("connection_limit"),
    /// The pod or the node holds as many sockets as it may, see {@link io.loam.agent.connections.ConnectionLimits}.
    SOCKET_LIMIT("socket_limit"),
    /// The kernel does not tell whom the program asked, and no resolver is configured.
    NO_RESOLVER("no_resolver"),
    /// No socket in the pod's namespace.
    NO_SOCKET("no_socket"),
    /// The resolver's host says that nobody listens there, or there is no way to it.
    UNREACHABLE("unreachable"),
    /// The resolver did not answer in time.
    TIMEOUT("timeout"),
    /// What came from the resolver's address is no answer to the query. Waiting goes on.
    FOREIGN_ANSWER("foreign_answer"),
    /// The client does not take its answers.
    SLOW_CLIENT("slow_client"),
    /// An error in the proxy itself.
    BUG("bug");

    private final String label;

    Refusal(String label) {
        this.label = label;
    }

    String label() {
        return label;
    }
}
