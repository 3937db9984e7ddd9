package io.loam.model.decision;

import io.loam.model.address.GatewayAddress;
import io.loam.model.address.GatewayAddress.Destination;
import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.EndpointChoice.Purpose;
import io.loam.model.decision.OutboundRoute.Plaintext;
import io.loam.model.decision.OutboundRoute.Refused;
import io.loam.model.decision.OutboundRoute.Tunnel;
import io.loam.model.decision.OutboundRoute.Via;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.Endpoint;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.Service;
import io.loam.model.service.Service.IpFamilies;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Decides where a captured connection goes (wire reference, 3.2). Pure: the same snapshot, request and random
/// numbers give the same route. Steps in comments are those of the reference.
///
/// Two lookups of the destination follow each other and differ on purpose. Whether the traffic is *for a
/// service* (so that the service's waypoint is passed and a workload's is not) is asked of the workloads first;
/// *which endpoint* gets it is asked of the services first. They disagree only about an address that is both.
public final class OutboundRouter {
    private OutboundRouter() {}

    public static OutboundRoute route(MeshSnapshot mesh, OutboundRequest request, RandomGenerator random) {
        var destination = request.originalDestination();
        if (destination.getAddress().isLoopbackAddress() && ProxyPorts.isIllegalTarget(destination.getPort())) { // 1
            return new Refused(
                    RefusalReason.LOOP,
                    text(destination) + " is a port of the proxy itself on a loopback address",
                    null);
        }
        return new Decision(mesh, request, random).route();
    }

    /// One request with what its steps share.
    private record Decision(MeshSnapshot mesh, OutboundRequest request, RandomGenerator random) {
        OutboundRoute route() {
            var address = new NetworkAddress(
                    request.network(), request.originalDestination().getAddress());
            var owner = mesh.workloadByAddress(address);
            var virtual = mesh.findService(address, request.source().namespace());

            var addressed = owner == null ? virtual : null; // 3
            if (addressed != null) {
                var waypoint = waypointOf(addressed);
                if (waypoint != null) {
                    return throughWaypoint(waypoint, Via.SERVICE_WAYPOINT, addressed);
                }
            }
            if (virtual != null) { // 4
                return virtual.loadBalancing().mode() == Mode.PASSTHROUGH
                        ? new Plaintext(request.originalDestination(), null, virtual)
                        : toEndpoint(virtual, addressed != null);
            }
            return owner == null
                    ? outside()
                    : toWorkload(owner, null, request.originalDestination().getPort(), false);
        }

        /// To what the mesh does not know. The reference has no way to forbid it, users of Istio ask for it.
        private OutboundRoute outside() {
            var destination = request.originalDestination();
            return EgressRule.permitsUnknown(request.source(), destination.getAddress())
                    ? new Plaintext(destination, null, null)
                    : new Refused(
                            RefusalReason.NOT_IN_REGISTRY,
                            text(destination) + " belongs to no service or workload that namespace "
                                    + request.source().namespace()
                                    + " can see, and its egress is REGISTRY_ONLY",
                            null);
        }

        private OutboundRoute toEndpoint(Service service, boolean serviceAddressed) {
            int port = request.originalDestination().getPort();
            var endpoint = choose(service, port, Purpose.ENDPOINT);
            if (endpoint == null) {
                return new Refused(
                        RefusalReason.NO_HEALTHY_UPSTREAM,
                        "service " + service.key() + ", port " + port + ": none of "
                                + mesh.endpoints(service.key()).size() + " endpoints is fit",
                        service);
            }
            int targetPort = EndpointChoice.targetPort(service, port, endpoint);
            return targetPort == 0
                    ? new Refused(
                            RefusalReason.NO_TARGET_PORT,
                            "service " + service.key() + ", port " + port + ": no target port at "
                                    + endpoint.workload().uid(),
                            service)
                    : toWorkload(endpoint.workload(), service, targetPort, serviceAddressed);
        }

        private @Nullable Endpoint choose(Service service, int port, Purpose purpose) {
            var avoided = request.avoided();
            return avoided == null
                    ? EndpointChoice.choose(mesh, service, port, request.source(), purpose, random)
                    : EndpointChoice.chooseOther(mesh, service, port, request.source(), purpose, random, avoided);
        }

        private OutboundRoute toWorkload(
                Workload workload, @Nullable Service service, int targetPort, boolean serviceAddressed) {
            if (!workload.network().equals(request.network())) { // 5
                return service != null && workload.networkGateway() != null
                        ? new Refused(
                                RefusalReason.UNSUPPORTED,
                                "workload " + workload.uid() + " is behind the gateway of network " + workload.network()
                                        + ": tunnels through gateways are not implemented",
                                service)
                        : new Refused(
                                RefusalReason.OTHER_NETWORK,
                                "workload " + workload.uid() + " is on network \"" + workload.network()
                                        + "\", which has no gateway (own network: \"" + request.network() + "\")",
                                service);
            }
            var waypoint = workload.waypoint();
            if (!serviceAddressed && waypoint != null && !isSourceAnInstanceOf(waypoint)) { // 6
                return throughWaypoint(waypoint, Via.WORKLOAD_WAYPOINT, service);
            }
            var target = targetAddress(workload, service, targetPort); // 7
            if (target == null) {
                return new Refused(
                        RefusalReason.NO_ADDRESS,
                        "workload " + workload.uid() + " has no address that service "
                                + (service == null ? "-" : service.key()) + " allows",
                        service);
            }
            if (workload.tunnel() == TunnelProtocol.NONE) {
                return new Plaintext(target, workload, service);
            }
            return tunnel(
                    target.isUnresolved()
                            ? InetSocketAddress.createUnresolved(target.getHostString(), ProxyPorts.HBONE)
                            : new InetSocketAddress(target.getAddress(), ProxyPorts.HBONE),
                    target,
                    workload,
                    service,
                    service,
                    Via.DIRECT);
        }

        /// There is no way around a waypoint: what cannot be resolved is refused.
        private OutboundRoute throughWaypoint(GatewayAddress reference, Via via, @Nullable Service service) {
            var waypoint = resolve(reference);
            if (waypoint == null) {
                return new Refused(
                        RefusalReason.WAYPOINT_UNRESOLVED,
                        "waypoint " + text(reference) + (service == null ? "" : " of service " + service.key())
                                + ": no such workload, or no healthy endpoint",
                        service);
            }
            var instance = waypoint.instance();
            if (!instance.network().equals(request.network())) {
                return new Refused(
                        RefusalReason.UNSUPPORTED,
                        "waypoint " + instance.uid() + " is on network \"" + instance.network()
                                + "\": tunnels through gateways are not implemented",
                        service);
            }
            var peer = targetAddress(instance, waypoint.service(), reference.hbonePort());
            if (peer == null) {
                return new Refused(
                        RefusalReason.WAYPOINT_UNRESOLVED,
                        "waypoint " + instance.uid() + " has no address that can be used",
                        service);
            }
            return tunnel(peer, request.originalDestination(), instance, waypoint.service(), service, via);
        }

        /// @param accepting the service whose subject alternative names the peer may prove as well
        private OutboundRoute tunnel(
                InetSocketAddress peer,
                InetSocketAddress authority,
                Workload destination,
                @Nullable Service accepting,
                @Nullable Service service,
                Via via) {
            var expected = expectedIdentities(destination, accepting);
            if (expected.isEmpty()) {
                return new Refused(
                        RefusalReason.NO_IDENTITY,
                        "workload " + destination.uid() + ": namespace \"" + destination.namespace()
                                + "\" and service account \"" + destination.serviceAccount()
                                + "\" make no identity, and no service adds one",
                        service);
            }
            return new Tunnel(peer, text(authority), expected, destination, service, via);
        }

        private Set<SpiffeId> expectedIdentities(Workload workload, @Nullable Service service) {
            Set<SpiffeId> alternatives = service == null ? Set.of() : mesh.acceptedIdentities(service.key());
            var own = workload.provableIdentity();
            if (own.isEmpty()) {
                return alternatives;
            }
            if (alternatives.isEmpty()) {
                return Set.of(own.get());
            }
            var all = new LinkedHashSet<>(alternatives);
            all.add(own.get());
            return all;
        }

        private @Nullable GatewayAddress waypointOf(Service service) {
            long total = 0;
            for (var candidate : service.weightedWaypoints()) {
                total += candidate.weight();
            }
            if (total > 0) {
                long point = random.nextLong(total);
                for (var candidate : service.weightedWaypoints()) {
                    point -= candidate.weight();
                    if (point < 0) {
                        return candidate.waypoint();
                    }
                }
            }
            return service.waypoint();
        }

        private @Nullable Waypoint resolve(GatewayAddress reference) {
            var service = serviceOf(reference.destination());
            if (service != null) {
                var endpoint = choose(service, reference.hbonePort(), Purpose.WAYPOINT);
                return endpoint == null ? null : new Waypoint(endpoint.workload(), service);
            }
            return switch (reference.destination()) {
                case Destination.ByHostname _ -> null;
                case Destination.ByAddress(var address) -> {
                    var instance = mesh.workloadByAddress(address);
                    yield instance == null || instance.status() != Status.HEALTHY ? null : new Waypoint(instance, null);
                }
            };
        }

        private @Nullable Service serviceOf(Destination destination) {
            return switch (destination) {
                case Destination.ByHostname(var key) -> mesh.service(key);
                case Destination.ByAddress(var address) ->
                    mesh.findService(address, request.source().namespace());
            };
        }

        /// A waypoint's own connections to the workload do not go through it again. Both name and address have
        /// to fit: others may run under the same service account.
        private boolean isSourceAnInstanceOf(GatewayAddress reference) {
            var service = serviceOf(reference.destination());
            if (service != null) { // the source's own record tells: there may be many instances, and some not ready
                return request.source().services().containsKey(service.key())
                        && request.source().addresses().contains(request.sourceAddress());
            }
            return switch (reference.destination()) {
                case Destination.ByHostname _ -> false;
                case Destination.ByAddress(var address) -> {
                    var instance = mesh.workloadByAddress(address);
                    yield instance != null && isSource(instance);
                }
            };
        }

        private boolean isSource(Workload instance) {
            var source = request.source();
            return instance.serviceAccount().equals(source.serviceAccount())
                    && instance.namespace().equals(source.namespace())
                    && instance.trustDomain().equals(source.trustDomain())
                    && instance.addresses().contains(request.sourceAddress());
        }

        /// @return unresolved for a workload without addresses that has a host name; null if no address is
        ///     allowed
        private @Nullable InetSocketAddress targetAddress(Workload workload, @Nullable Service service, int port) {
            var requested = request.originalDestination().getAddress();
            if (workload.addresses().isEmpty()) {
                return workload.hostname().isEmpty()
                        ? null
                        : InetSocketAddress.createUnresolved(workload.hostname(), port);
            }
            // an address shared with the node says nothing about which of its workloads was meant
            if (workload.networkMode() == NetworkMode.STANDARD
                    && workload.addresses().contains(requested)) {
                return new InetSocketAddress(requested, port);
            }
            var families = service == null ? IpFamilies.AUTOMATIC : service.ipFamilies();
            var address = preferred(workload.addresses(), families, requested instanceof Inet4Address);
            return address == null ? null : new InetSocketAddress(address, port);
        }

        private static @Nullable InetAddress preferred(
                List<InetAddress> addresses, IpFamilies families, boolean preferIpv4) {
            InetAddress other = null;
            for (var address : addresses) {
                boolean ipv4 = address instanceof Inet4Address;
                boolean allowed = switch (families) {
                    case AUTOMATIC, DUAL -> true;
                    case IPV4_ONLY -> ipv4;
                    case IPV6_ONLY -> !ipv4;
                };
                if (allowed && ipv4 == preferIpv4) {
                    return address;
                }
                if (allowed && other == null) {
                    other = address;
                }
            }
            return other;
        }
    }

    /// @param service the service the waypoint was found by, if it was
    private record Waypoint(Workload instance, @Nullable Service service) {}

    private static String text(GatewayAddress reference) {
        return switch (reference.destination()) {
            case Destination.ByHostname(var key) -> key + ":" + reference.hbonePort();
            case Destination.ByAddress(var address) -> address + ":" + reference.hbonePort();
        };
    }

    private static String text(InetSocketAddress address) {
        return Authority.text(address);
    }
}
