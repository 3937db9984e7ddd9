package io.loam.model.explain;

import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.Authority;
import io.loam.model.decision.EndpointChoice;
import io.loam.model.decision.InboundTarget;
import io.loam.model.decision.OutboundRequest;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.decision.OutboundRouter;
import io.loam.model.decision.ProxyPorts;
import io.loam.model.failure.ErrorCode;
import io.loam.model.mesh.Endpoint;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.Verdict;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Comparator;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// What becomes of one connection of a pod: the decisions of the source's agent and of the destination's, one
/// after the other, over the same snapshot and by the functions that the agents call.
///
/// Everything that only shows when bytes flow is left out: that the application listens, that certificates are
/// there and nodes can be reached, which addresses resolvers give for the host name of an endpoint.
///
/// @param outbound what the source's agent decides; null for a source that no agent captures
/// @param target where the application's bytes go in the end; null if they go nowhere. Unresolved where the
///     agent asks its resolvers for the endpoint's host name: what they say decides, and what receives there,
///     is not known here
/// @param inbound what the destination's agent decides; null where no agent receives
/// @param refusal null if the connection is made
public record Passage(
        @Nullable OutboundRoute outbound,
        @Nullable InetSocketAddress target,
        @Nullable Inbound inbound,
        @Nullable Refusal refusal) {
    /// @param local the workload that receives
    /// @param attributes what policies are asked about
    public record Inbound(Workload local, ConnectionAttributes attributes, Verdict verdict) {}

    /// @param code what the agent that refuses logs
    /// @param bySource whether the source's agent refuses
    public record Refusal(ErrorCode code, boolean bySource, String detail) {}

    public boolean allowed() {
        return refusal == null;
    }

    /// @param destination where the application connects to
    /// @param random for the choice of endpoints
    public static Passage of(
            MeshSnapshot mesh, Workload source, InetSocketAddress destination, RandomGenerator random) {
        var from = addressLike(source, destination.getAddress());
        return isCaptured(source)
                ? captured(mesh, source, from, destination, random)
                : direct(mesh, source, from, destination, random);
    }

    /// Whether an agent owns the pod's connections. What ends HBONE itself has none.
    public static boolean isCaptured(Workload workload) {
        return workload.tunnel() == TunnelProtocol.HBONE && !workload.nativeTunnel();
    }

    private static Passage captured(
            MeshSnapshot mesh,
            Workload source,
            InetAddress from,
            InetSocketAddress destination,
            RandomGenerator random) {
        var request = new OutboundRequest(source, from, destination);
        var route = OutboundRouter.route(mesh, request, random);
        return switch (route) {
            case OutboundRoute.Refused refused ->
                refused(route, null, null, new Refusal(ErrorCode.of(refused.reason()), true, refused.detail()));
            case OutboundRoute.Plaintext plaintext ->
                plaintext.target().isUnresolved()
                        ? new Passage(route, plaintext.target(), null, null)
                        : plaintext(mesh, route, from, source, plaintext.target());
            case OutboundRoute.Tunnel tunnel ->
                tunnel.peer().isUnresolved()
                        ? new Passage(route, tunnel.peer(), null, null)
                        : tunnelled(mesh, source, tunnel);
        };
    }

    private static Passage tunnelled(MeshSnapshot mesh, Workload source, OutboundRoute.Tunnel tunnel) {
        var local = tunnel.destination();
        if (!isCaptured(local)) {
            return new Passage(tunnel, tunnel.peer(), null, null); // it ends the tunnel itself and decides itself
        }
        return switch (InboundTarget.resolve(mesh, local, tunnel.peer(), tunnel.authority())) {
            case InboundTarget.Rejected rejected -> {
                var refusal = new Refusal(ErrorCode.of(rejected.reason()), false, rejected.detail());
                yield refused(tunnel, null, null, refusal);
            }
            case InboundTarget.Accepted accepted -> {
                var target = accepted.target();
                if (accepted.applicationTunnel()) {
                    var refusal = new Refusal(ErrorCode.UNSUPPORTED, false, "application tunnels are not offered yet");
                    yield refused(tunnel, target, null, refusal);
                }
                var from = addressLike(source, tunnel.peer().getAddress());
                var attributes =
                        new ConnectionAttributes(source.identity(), from, target.getAddress(), target.getPort());
                yield decided(mesh, tunnel, target, local, attributes);
            }
        };
    }

    /// Without an agent at the source: the cluster's own load balancing takes any ready endpoint of a service.
    private static Passage direct(
            MeshSnapshot mesh,
            Workload source,
            InetAddress from,
            InetSocketAddress destination,
            RandomGenerator random) {
        var address = new NetworkAddress(source.network(), destination.getAddress());
        var service = mesh.workloadByAddress(address) == null ? mesh.findService(address, source.namespace()) : null;
        if (service == null) {
            return plaintext(mesh, null, from, source, destination);
        }
        var ready = mesh.endpoints(service.key()).values().stream()
                .filter(endpoint -> endpoint.workload().status() == Status.HEALTHY)
                .filter(endpoint -> EndpointChoice.targetPort(service, destination.getPort(), endpoint) > 0)
                .filter(endpoint -> hasLike(endpoint.workload(), destination.getAddress()))
                .sorted(Comparator.comparing(endpoint -> endpoint.workload().uid()))
                .toList();
        if (ready.isEmpty()) {
            var detail = "service " + service.key() + ", port " + destination.getPort() + ": no ready endpoint";
            return refused(null, null, null, new Refusal(ErrorCode.NO_HEALTHY_UPSTREAM, true, detail));
        }
        Endpoint chosen = ready.get((int) random.nextLong(ready.size()));
        var target = new InetSocketAddress(
                addressLike(chosen.workload(), destination.getAddress()),
                EndpointChoice.targetPort(service, destination.getPort(), chosen));
        return plaintext(mesh, null, from, source, target);
    }

    private static Passage plaintext(
            MeshSnapshot mesh,
            @Nullable OutboundRoute route,
            InetAddress from,
            Workload source,
            InetSocketAddress target) {
        var local = mesh.workloadByAddress(new NetworkAddress(source.network(), target.getAddress()));
        if (local == null || !isCaptured(local)) {
            return new Passage(route, target, null, null);
        }
        if (ProxyPorts.isIllegalTarget(target.getPort())) {
            var detail = Authority.text(target) + " is a port of the proxy itself";
            return refused(route, target, null, new Refusal(ErrorCode.LOOP, false, detail));
        }
        var attributes = new ConnectionAttributes(null, from, target.getAddress(), target.getPort());
        return decided(mesh, route, target, local, attributes);
    }

    private static Passage decided(
            MeshSnapshot mesh,
            @Nullable OutboundRoute route,
            InetSocketAddress target,
            Workload local,
            ConnectionAttributes attributes) {
        var verdict = Authorizer.decide(mesh.policiesFor(local), attributes);
        var inbound = new Inbound(local, attributes, verdict);
        return verdict.allows()
                ? new Passage(route, target, inbound, null)
                : refused(route, target, inbound, new Refusal(ErrorCode.of(verdict), false, text(verdict)));
    }

    private static Passage refused(
            @Nullable OutboundRoute route,
            @Nullable InetSocketAddress target,
            @Nullable Inbound inbound,
            Refusal refusal) {
        return new Passage(route, target, inbound, refusal);
    }

    private static String text(Verdict verdict) {
        return switch (verdict) {
            case Verdict.Allowed(var policy) -> policy.isEmpty() ? "no ALLOW policy applies" : "allowed by " + policy;
            case Verdict.Denied(var policy, var rule) -> "denied by " + policy + " rule " + rule;
            case Verdict.NotMatched(var policies, var first) ->
                "none of " + policies + " ALLOW policies matches: " + String.join(", ", first);
            case Verdict.Undecided(var policy) -> "policy " + policy + " is named and not known";
        };
    }

    /// The pod's own address of a family; the first one if it has none of it.
    private static InetAddress addressLike(Workload workload, InetAddress other) {
        for (var address : workload.addresses()) {
            if (address instanceof Inet4Address == other instanceof Inet4Address) {
                return address;
            }
        }
        return workload.addresses().isEmpty() ? other : workload.addresses().getFirst();
    }

    private static boolean hasLike(Workload workload, InetAddress other) {
        return workload.addresses().stream()
                .anyMatch(address -> address instanceof Inet4Address == other instanceof Inet4Address);
    }
}
