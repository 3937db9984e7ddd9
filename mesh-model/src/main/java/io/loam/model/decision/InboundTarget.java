package io.loam.model.decision;

import io.loam.model.address.GatewayAddress;
import io.loam.model.address.GatewayAddress.Destination;
import io.loam.model.address.NetworkAddress;
import io.loam.model.mesh.Endpoint;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a CONNECT request to a workload leads to (wire reference, 3.3, steps 4 and 5).
public sealed interface InboundTarget {
    /// @param target the workload's own address and the port that serves the request; policies are decided for
    ///     it
    /// @param service the service that the authority names, if it names one
    /// @param applicationTunnel whether the application wants the bytes wrapped, as its workload record says
    record Accepted(InetSocketAddress target, @Nullable Service service, boolean applicationTunnel)
            implements InboundTarget {}

    /// @param status of the response: 400 or 503
    /// @param detail for people
    /// @param service the service that the authority names, if it names one
    record Rejected(
            int status,
            RefusalReason reason,
            String detail,
            @Nullable Service service) implements InboundTarget {}

    /// The service that the authority names, for the access log; null if it names none that the mesh knows.
    @Nullable
    Service service();

    /// @param local the workload whose listener accepted the connection
    /// @param accepted the local address of the accepted connection
    /// @param authority as received
    static InboundTarget resolve(MeshSnapshot mesh, Workload local, InetSocketAddress accepted, String authority) {
        var parsed = Authority.parse(authority);
        if (parsed.isEmpty()) {
            return new Rejected(
                    400,
                    RefusalReason.BAD_AUTHORITY,
                    "authority: \"" + authority + "\" (expected: ip:port or hostname:port)",
                    null);
        }
        return switch (parsed.get()) {
            case Authority.ByAddress(var address, var port) -> byAddress(mesh, local, accepted, address, port);
            case Authority.ByHostname(var hostname, var port) -> byHostname(mesh, local, accepted, hostname, port);
        };
    }

    private static InboundTarget byAddress(
            MeshSnapshot mesh, Workload local, InetSocketAddress accepted, InetAddress address, int port) {
        var named = new NetworkAddress(local.network(), address);
        // workload first, then service: the same order as when a client asks what an address is (3.1)
        var service = mesh.workloadByAddress(named) == null ? mesh.findService(named, local.namespace()) : null;
        if (!address.equals(accepted.getAddress())
                && local.applicationTunnel() == null
                && !isWaypointFor(mesh, local, named, service)) {
            return new Rejected(
                    400,
                    RefusalReason.WRONG_DESTINATION,
                    "authority: " + address.getHostAddress() + " (expected: "
                            + accepted.getAddress().getHostAddress() + ", the address connected to)",
                    service);
        }
        return accept(local, accepted, port, service);
    }

    private static InboundTarget byHostname(
            MeshSnapshot mesh, Workload local, InetSocketAddress accepted, String hostname, int port) {
        var service = mesh.findServiceByHostname(hostname, local.namespace());
        if (service == null) {
            return new Rejected(
                    503,
                    RefusalReason.UNKNOWN_HOSTNAME,
                    "authority: " + hostname + " (expected: a service's host name)",
                    null);
        }
        var own = local.services().getOrDefault(service.key(), List.of());
        int targetPort = EndpointChoice.targetPort(service, port, new Endpoint(local, own));
        if (targetPort == 0) {
            return new Rejected(
                    503,
                    RefusalReason.NO_TARGET_PORT,
                    "service " + service.key() + ", port " + port + ": no target port at " + local.uid(),
                    service);
        }
        return accept(local, accepted, targetPort, service);
    }

    private static InboundTarget accept(
            Workload local, InetSocketAddress accepted, int port, @Nullable Service service) {
        var tunnel = local.applicationTunnel();
        int targetPort = tunnel != null && tunnel.port() > 0 ? tunnel.port() : port;
        if (ProxyPorts.isIllegalTarget(targetPort)) {
            return new Rejected(
                    503, RefusalReason.LOOP, "port " + targetPort + " is a port of the proxy itself", service);
        }
        return new Accepted(new InetSocketAddress(accepted.getAddress(), targetPort), service, tunnel != null);
    }

    private static boolean isWaypointFor(
            MeshSnapshot mesh, Workload local, NetworkAddress named, @Nullable Service service) {
        if (service != null) {
            for (var weighted : service.weightedWaypoints()) {
                if (resolvesTo(mesh, weighted.waypoint(), local)) {
                    return true;
                }
            }
            return resolvesTo(mesh, service.waypoint(), local);
        }
        var workload = mesh.workloadByAddress(named);
        return workload != null && resolvesTo(mesh, workload.waypoint(), local);
    }

    private static boolean resolvesTo(MeshSnapshot mesh, @Nullable GatewayAddress reference, Workload local) {
        if (reference == null) {
            return false;
        }
        return switch (reference.destination()) {
            case Destination.ByHostname(var key) -> isEndpoint(mesh, mesh.service(key), local);
            case Destination.ByAddress(var address) -> {
                var service = mesh.findService(address, local.namespace());
                yield service != null
                        ? isEndpoint(mesh, service, local)
                        : address.network().equals(local.network())
                                && local.addresses().contains(address.address());
            }
        };
    }

    private static boolean isEndpoint(MeshSnapshot mesh, @Nullable Service service, Workload local) {
        return service != null && mesh.endpoints(service.key()).containsKey(local.uid());
    }
}
