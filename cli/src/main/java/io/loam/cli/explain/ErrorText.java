package io.loam.cli.explain;

import io.loam.model.failure.ErrorCode;
import java.util.List;

/// What `loam explain` says about a code of the access log.
///
/// @param happened one sentence
/// @param refusedBy which agent wrote the code, and what the other end logs
/// @param causes the likely ones, the likeliest first
/// @param lookAt where to find out which it was
/// @param change what helps
public record ErrorText(
        String happened, String refusedBy, List<String> causes, List<String> lookAt, List<String> change) {
    private static final String SOURCE = "The agent of the caller's node; the destination's has not heard of it.";
    private static final String DESTINATION =
            "The agent of the destination's node; the caller's logs PEER_REFUSED for the same connection.";
    private static final String EITHER = "The agent that logs it: the caller's for direction=outbound, the"
            + " destination's for direction=inbound.";
    private static final String WHY = "`loam why A B:PORT`: the same decision, hop by hop";
    private static final String ERROR_FIELD = "field `error` of the same line of the access log";
    private static final String PROBLEMS = "`loam problems`: documents that could not be read";

    public ErrorText {
        causes = List.copyOf(causes);
        lookAt = List.copyOf(lookAt);
        change = List.copyOf(change);
    }

    /// @return for people; ends with a line break
    public String render(ErrorCode code) {
        var out = new StringBuilder(code.name()).append('\n');
        out.append("  ").append(happened).append('\n');
        out.append("  Refused by: ").append(refusedBy).append('\n');
        append(out, "Likely causes", causes);
        append(out, "Look at", lookAt);
        append(out, "Change", change);
        return out.toString();
    }

    private static void append(StringBuilder out, String title, List<String> lines) {
        out.append("  ").append(title).append(":\n");
        lines.forEach(line -> out.append("    - ").append(line).append('\n'));
    }

    public static ErrorText of(ErrorCode code) {
        return switch (code) { // no default: a new code must not compile until it is explained
            case UNKNOWN_SOURCE ->
                new ErrorText(
                        "The control plane has not described the pod that the connection belongs to, within 5 s.",
                        EITHER,
                        List.of(
                                "the pod has just started and the control plane is behind",
                                "the agent has lost the control plane",
                                "the pod was deleted while it still had connections"),
                        List.of(
                                "`loam get workloads`: is the pod there?",
                                "metric `istio_xds_connection_terminations_total` and the agent's log, lines of `xds`"),
                        List.of("let the agent reach the control plane (port 15012); the next connection works"));
            case NO_CERTIFICATE ->
                new ErrorText(
                        "The workload has no valid certificate, so nothing can be sent or taken in its name.",
                        EITHER,
                        List.of(
                                "the CA cannot be reached, or refuses the agent's token",
                                "the CA does not know that the pod runs on this node",
                                "the certificate ended and could not be renewed"),
                        List.of(
                                ERROR_FIELD,
                                "the agent's `/config_dump` on port 15000, `certificates`",
                                "the CA's log"),
                        List.of(
                                "let the agent reach the CA (port 15013)",
                                "see that the agent's token file is renewed and its account may ask for others"));
            case OVERLOADED ->
                new ErrorText(
                        "A limit of the agent is reached; who is connected stays, new connections are refused.",
                        EITHER,
                        List.of(
                                "one pod holds three quarters of the node's descriptors",
                                "too many dials, or streams that wait for one tunnel, at the same time",
                                "too many connections to one address and port: no source port is left to call it from"),
                        List.of(
                                "metric `loam_limit_refusals`: which workload, which limit",
                                "`error` says which limit and its value"),
                        List.of(
                                "close what the pod leaves open",
                                "raise the agent's hard limit of open files (`ulimit -Hn`)"));
            case LOOP ->
                new ErrorText(
                        "The destination is a port of the proxy itself (15001, 15006, 15008): the bytes would come"
                                + " back to it.",
                        EITHER,
                        List.of(
                                "a program connects to a port of the proxy on purpose",
                                "a service's targetPort is one of them"),
                        List.of(ERROR_FIELD, "`loam get services -o wide`: targetPort"),
                        List.of("let the program listen on another port"));
            case UNKNOWN_DESTINATION ->
                new ErrorText(
                        "The agent asks the control plane for each destination (XDS_ON_DEMAND), and was not told within"
                                + " 5 s whom this address, or the waypoint in front of it, belongs to. In plaintext it"
                                + " would go around the mesh.",
                        SOURCE,
                        List.of("the agent has lost the control plane", "the control plane is behind"),
                        List.of(
                                ERROR_FIELD + ", which names what was asked for",
                                "metrics `loam_xds_demand_pending` and `istio_xds_connection_terminations_total` of the"
                                        + " source's node"),
                        List.of(
                                "let the agent reach the control plane (port 15012); the next connection works",
                                "leave XDS_ON_DEMAND out: such an agent knows the whole mesh beforehand"));
            case UNKNOWN_WORKLOAD ->
                new ErrorText(
                        "A stream came on a tunnel to a pod that the control plane does not name any more.",
                        DESTINATION,
                        List.of("the pod is being deleted, and the caller has not heard of it yet"),
                        List.of("`loam get workloads`, `loam get pods`: is the pod there?"),
                        List.of("repeat: the caller's next connection goes to another pod"));
            case NO_HEALTHY_UPSTREAM ->
                new ErrorText(
                        "The service has no endpoint that is ready, serves the port and is near enough.",
                        SOURCE,
                        List.of(
                                "its pods are not ready",
                                "its selector matches no pod",
                                "the service does not have the port that was asked for",
                                "internalTrafficPolicy: Local (or another strict preference), and none is on this node"),
                        List.of(WHY, "`loam get services -o wide`, `loam get pods`"),
                        List.of(
                                "correct the selector or the port",
                                "make a pod ready, or set publishNotReadyAddresses",
                                "relax internalTrafficPolicy or trafficDistribution"));
            case WAYPOINT_UNRESOLVED ->
                new ErrorText(
                        "The destination is behind a waypoint that cannot be found, or has no ready instance; going"
                                + " around it would go around its policies.",
                        SOURCE,
                        List.of(
                                "the waypoint's pods are not ready",
                                "the label `istio.io/use-waypoint` names a Gateway that does not exist"),
                        List.of(WHY, "`loam get pods` in the waypoint's namespace"),
                        List.of("start the waypoint", "remove the label `istio.io/use-waypoint`"));
            case OTHER_NETWORK ->
                new ErrorText(
                        "The endpoint is on another network, and no gateway to it is known.",
                        SOURCE,
                        List.of("a workload's label `topology.istio.io/network` is wrong"),
                        List.of("`network` of both workloads in the agent's `/config_dump`"),
                        List.of("correct the label, or give the network a gateway"));
            case NO_ADDRESS ->
                new ErrorText(
                        "The endpoint has no address of a family that the service allows.",
                        SOURCE,
                        List.of("the service is IPv6 only (or IPv4 only), and the pod has no such address"),
                        List.of("`loam get pods`: addresses", "`ipFamilies` of the service"),
                        List.of("set ipFamilyPolicy: PreferDualStack, or give the pod an address of that family"));
            case NO_TARGET_PORT ->
                new ErrorText(
                        "Nobody says which port of the endpoint serves the port that was asked for.",
                        "The agent that has to know: the caller's (outbound) or, for a service asked for by name inside"
                                + " a tunnel, the destination's.",
                        List.of(
                                "the service does not have this port",
                                "targetPort is a name that the pod's containers do not declare"),
                        List.of(WHY, "`loam get services`: ports"),
                        List.of("declare the port in the service, or the port's name in the pod"));
            case NO_IDENTITY ->
                new ErrorText(
                        "The destination speaks HBONE and nobody knows which identity it has to prove.",
                        SOURCE,
                        List.of("a WorkloadEntry without serviceAccount", "a gateway without namespace"),
                        List.of("`loam get workloads`: identity"),
                        List.of("set serviceAccount, or subjectAltNames of the ServiceEntry"));
            case NOT_IN_REGISTRY ->
                new ErrorText(
                        "The caller may only call what the mesh knows (REGISTRY_ONLY), and the address belongs to"
                                + " nothing that its namespace can see.",
                        SOURCE,
                        List.of(
                                "an external service without a ServiceEntry",
                                "a ServiceEntry that is not exported to this namespace",
                                "the connection was open when egress became REGISTRY_ONLY (\"due to egress change\")"),
                        List.of(WHY, "`loam get services`: is the address there?"),
                        List.of(
                                "add a ServiceEntry for the host or the address",
                                "set outboundTrafficPolicy ALLOW_ANY in a Sidecar of the namespace, or mesh-wide"));
            case UNSUPPORTED ->
                new ErrorText(
                        "The way to the destination is known and not implemented yet.",
                        EITHER,
                        List.of(
                                "another network behind a gateway",
                                "a waypoint behind an application tunnel with PROXY protocol",
                                "an endpoint that speaks HBONE and has a host name only"),
                        List.of(ERROR_FIELD),
                        List.of("reach it in another way for now; see Limits in the README"));
            case BAD_AUTHORITY ->
                new ErrorText(
                        "The CONNECT request of a peer says neither `ip:port` nor `hostname:port`.",
                        DESTINATION,
                        List.of("the peer is another implementation with a bug", "somebody tries something"),
                        List.of("`src.identity` and `error` of the line: who sent what"),
                        List.of("correct the peer"));
            case WRONG_DESTINATION ->
                new ErrorText(
                        "The CONNECT request is for an address that is not the workload's it arrived at.",
                        DESTINATION,
                        List.of(
                                "the address was given to another pod a moment ago",
                                "the caller takes this pod for a waypoint that it is not"),
                        List.of("`error`: both addresses", "`loam get pods`: whose address is it now?"),
                        List.of("repeat; if it stays, compare what both agents know (`/config_dump`)"));
            case UNKNOWN_HOSTNAME ->
                new ErrorText(
                        "The CONNECT request names a host that is no service.",
                        DESTINATION,
                        List.of("the service was deleted", "the service is not visible to this namespace"),
                        List.of("`loam get services`"),
                        List.of("create or export the service"));
            case UNRESOLVED ->
                new ErrorText(
                        "The endpoint has a host name and no address, and the agent's resolvers gave none for it.",
                        SOURCE,
                        List.of(
                                "the name does not exist, or has no address of a family that pod and service have",
                                "the resolvers do not answer, or cannot be reached from the pod",
                                "its addresses mean the pod itself or its link (127.0.0.1, 169.254.0.0/16)"),
                        List.of(
                                "`error`: the name, and what the resolvers said",
                                "`dig NAME @RESOLVER` in the pod; the agent asks LOAM_DNS_RESOLVERS",
                                "`endpoints` and `hosts` of the ServiceEntry"),
                        List.of(
                                "correct the name, or let the pod reach the resolvers on port 53",
                                "write addresses instead, or resolution: NONE"));
            case POLICY_DENIED ->
                new ErrorText(
                        "An authorization policy of the destination does not let the caller in.",
                        "The agent of the destination's node; the caller's logs PEER_DENIED for the same connection.",
                        List.of(
                                "a DENY policy matches: `error` names policy and rule, counted from 0",
                                "ALLOW policies exist and none matches: then everybody else is refused",
                                "PeerAuthentication STRICT (policy istio_converted_static_strict) and a caller"
                                        + " outside of the mesh"),
                        List.of(WHY + ", the rule that decided, and the smallest change", ERROR_FIELD),
                        List.of(
                                "add the caller's principal to an ALLOW policy, or take it out of a DENY policy",
                                "take the caller into the mesh, or set PeerAuthentication PERMISSIVE"));
            case POLICY_UNKNOWN ->
                new ErrorText(
                        "The workload names a policy that the agent does not have: what it would say is not known, so"
                                + " nobody is let in.",
                        "The agent of the destination's node; the caller's logs PEER_DENIED.",
                        List.of(
                                "the policy is on its way from the control plane",
                                "the policy was refused by the agent as not readable"),
                        List.of("the agent's log, `policies not received`", PROBLEMS),
                        List.of("correct or delete the policy"));
            case POLICY_CHANGED ->
                new ErrorText(
                        "The connection was allowed, and a change of policies does not allow it any more: it was cut.",
                        "The agent of the destination's node; the caller's logs RESET.",
                        List.of("a policy or PeerAuthentication was added or changed just then"),
                        List.of(ERROR_FIELD + ": policy and rule", WHY),
                        List.of("if it was not meant: the same as for POLICY_DENIED"));
            case PEER_DENIED ->
                new ErrorText(
                        "The other side of the tunnel answered that its policies say no.",
                        "The agent of the destination's node, which logs POLICY_DENIED or POLICY_UNKNOWN with the"
                                + " rule; this line is the caller's.",
                        List.of("see POLICY_DENIED"),
                        List.of(WHY, "the access log of the destination's node, same `src.addr`"),
                        List.of("see POLICY_DENIED"));
            case DIAL_FAILED ->
                new ErrorText(
                        "The TCP connection to the destination, or to the application, was not made.",
                        EITHER,
                        List.of(
                                "inbound: the program does not listen on that port, or on another address",
                                "outbound: the pod is gone, a NetworkPolicy or a cut link is in the way"),
                        List.of(ERROR_FIELD, "`loam exec POD -- ss -ltn`: who listens where", "`loam get pods`"),
                        List.of("let the program listen on the pod's address, correct targetPort"));
            case TLS_REFUSED ->
                new ErrorText(
                        "One side of the tunnel did not accept the other's certificate, or did not speak TLS 1.3 with"
                                + " HTTP/2.",
                        EITHER,
                        List.of(
                                "the address belongs to another pod by now, with another identity, and the mesh, asked once"
                                        + " more, names nobody else to try; with `instead_of` that one is"
                                        + " somebody else, too",
                                "the two sides have different roots or trust domains",
                                "a clock is wrong by more than the certificate's life",
                                "inbound: a scanner, or a program that is no mesh peer, on port 15008"),
                        List.of(
                                ERROR_FIELD + ": identity found and identities expected",
                                "`loam prove A B`: chain and expiry of both certificates"),
                        List.of("repeat after the agents have caught up; otherwise correct roots or clocks"));
            case CERT_REVOKED ->
                new ErrorText(
                        "The certificate of the other side, or of a CA above it, is on the agent's revocation list.",
                        EITHER + " The other end logs TLS_REFUSED, or RESET for a connection that was open.",
                        List.of(
                                "somebody revoked the certificate: its key may be known to others",
                                "the revocation lists could not be read yet, then nobody is trusted"),
                        List.of(
                                ERROR_FIELD + ": serial number and issuer",
                                "metric `istio_crl_policy_rejections_total`",
                                "the file that the agent's `CRL_PATH` names, with `openssl crl -text`"),
                        List.of(
                                "restart the agent of the workload's node: it asks for new certificates",
                                "take the entry off the list if it was wrong"));
            case TUNNEL_SETUP ->
                new ErrorText(
                        "TLS was done, but the peer did not speak HTTP/2 as tunnels need it.",
                        SOURCE,
                        List.of("something else than an agent listens on port 15008", "the peer's agent is ending"),
                        List.of(ERROR_FIELD),
                        List.of("free port 15008 in the destination's pod"));
            case TUNNEL_TIMEOUT ->
                new ErrorText(
                        "Nobody answered on the tunnel's port 15008.",
                        SOURCE,
                        List.of(
                                "a NetworkPolicy that allows the application's port and forgets 15008",
                                "the destination's node, or the link to it, is down"),
                        List.of("NetworkPolicies of the destination's namespace", "`ping` from node to node"),
                        List.of("allow TCP 15008 between pods"));
            case PEER_REFUSED ->
                new ErrorText(
                        "The other side of the tunnel answered that it cannot reach the application.",
                        "The agent of the destination's node, which logs the reason under a code of its own; this line"
                                + " is the caller's.",
                        List.of("see DIAL_FAILED, WRONG_DESTINATION, OVERLOADED on the other side"),
                        List.of("the access log of the destination's node, same `src.addr`"),
                        List.of("see the code of the other side"));
            case GAVE_UP ->
                new ErrorText(
                        "Whoever called did not wait for the answer.",
                        EITHER,
                        List.of(
                                "the application's time-out is shorter than the dial takes",
                                "the calling program ended"),
                        List.of("`duration` of the line"),
                        List.of("usually nothing; look why the destination is slow to accept"));
            case RESET ->
                new ErrorText(
                        "One of the two programs, or what is between them, reset the open connection.",
                        EITHER + " Both pass it on, neither decided it.",
                        List.of(
                                "a program closed with data unread, or crashed",
                                "the other agent, its node or the link went away (10 to 28 s later)",
                                "the other side cut it by a changed policy: look there for POLICY_CHANGED"),
                        List.of("`error`: which side", "`loam logs` of both pods"),
                        List.of("depends on which side reset; programs that reset on close are harmless"));
            case DRAINED ->
                new ErrorText(
                        "The agent ends and the time for open connections was over.",
                        EITHER,
                        List.of("the agent is replaced or stopped and the connection outlived the drain time"),
                        List.of("`TERMINATION_GRACE_PERIOD_SECONDS` of the agent"),
                        List.of("reconnect; give the agent more time, or connections a shorter life"));
            case POD_ENDED ->
                new ErrorText(
                        "The pod does not run any more and left the connection open.",
                        EITHER,
                        List.of("the pod was deleted or killed"),
                        List.of("`loam get pods`, `loam logs`"),
                        List.of("nothing, or let the program close its connections on SIGTERM"));
            case BUG ->
                new ErrorText(
                        "An error of the agent itself ended this connection; others are not touched.",
                        EITHER,
                        List.of("a bug in Loam"),
                        List.of("the agent's log around this line: the stack trace", "metric `loam_connection_bugs`"),
                        List.of("report it with the stack trace"));
        };
    }
}
