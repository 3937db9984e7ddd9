package io.loam.config.compile;

import io.loam.config.object.GatewayObject;
import io.loam.config.object.PodSpec;
import io.loam.config.object.PortRef;
import io.loam.config.object.ServiceObject;
import io.loam.config.object.ServiceObject.InternalTrafficPolicy;
import io.loam.config.object.ServiceObject.IpFamily;
import io.loam.config.object.ServiceObject.TrafficDistribution;
import io.loam.config.object.TransportProtocol;
import io.loam.config.object.WorkloadEntrySpec;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.LoadBalancing.Scope;
import io.loam.model.service.Service;
import io.loam.model.service.Service.IpFamilies;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.service.ServicePort.AppProtocol;
import java.net.Inet4Address;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;

/// Service as proxies know it, and the ports each of its pods serves. Only TCP: the mesh carries nothing else, and a
/// TCP connection to a UDP port must not find an endpoint.
final class ServiceCompiler {
    static final List<ServicePort> WAYPOINT_PORTS =
            List.of(new ServicePort(GatewayObject.HBONE_PORT, GatewayObject.HBONE_PORT, AppProtocol.UNKNOWN));

    private ServiceCompiler() {}

    static NamespacedHostname key(ServiceObject service, MeshSettings settings) {
        var meta = service.meta();
        return new NamespacedHostname(meta.namespace(), settings.hostname(meta.name(), meta.namespace()));
    }

    /// @param namespaceDistribution what the namespace asks for, for services that say nothing
    static Service compile(
            ServiceObject service,
            TrafficDistribution namespaceDistribution,
            Waypoints waypoints,
            MeshSettings settings) {
        var binding = waypoints.ofService(service);
        return new Service(
                service.meta().name(),
                key(service, settings),
                service.clusterIps().stream()
                        .map(ip -> new ServiceAddress(settings.network(), CidrBlock.host(ip)))
                        .toList(),
                tcpPorts(service).stream()
                        .map(port -> new ServicePort(port.port(), numberOrZero(port.targetPort()), protocol(port)))
                        .toList(),
                List.of(),
                binding.waypoint(),
                binding.weighted(),
                loadBalancing(service, namespaceDistribution),
                ipFamilies(service),
                true,
                waypoints.ingressUsesWaypoint(service),
                Service.Visibility.PUBLIC);
    }

    /// A host of a ServiceEntry. Never canonical: for everybody but its own namespace a Service of that name
    /// wins.
    static Service compile(
            ServiceEntries.Host host,
            TrafficDistribution namespaceDistribution,
            Waypoints waypoints,
            MeshSettings settings) {
        var entry = host.entry();
        var binding = waypoints.ofService(entry);
        return new Service(
                entry.meta().name(),
                host.key(),
                host.addresses(),
                host.ports(),
                entry.subjectAltNames(),
                binding.waypoint(),
                binding.weighted(),
                switch (entry.resolution()) {
                    case NONE, DYNAMIC_DNS -> new LoadBalancing(List.of(), Mode.PASSTHROUGH, HealthPolicy.ALLOW_ALL);
                    case STATIC, DNS, DNS_ROUND_ROBIN ->
                        spread(entry.trafficDistribution(), namespaceDistribution, HealthPolicy.ONLY_HEALTHY);
                },
                IpFamilies.AUTOMATIC,
                false,
                waypoints.ingressUsesWaypoint(entry),
                host.visibility());
    }

    /// The service of a waypoint that nobody wrote one for, as Istio generates it: callers prefer instances
    /// nearby.
    static Service ofWaypoint(GatewayObject gateway, NamespacedHostname key) {
        return new Service(
                gateway.meta().name(),
                key,
                List.of(),
                WAYPOINT_PORTS,
                List.of(),
                null,
                List.of(),
                spread(
                        TrafficDistribution.PREFER_SAME_ZONE,
                        TrafficDistribution.UNSPECIFIED,
                        HealthPolicy.ONLY_HEALTHY),
                IpFamilies.AUTOMATIC,
                true,
                false,
                Service.Visibility.PUBLIC);
    }

    /// As {@link #portsOf(ServiceObject, PodSpec)}, of an endpoint that is no pod: it names its ports after
    /// the service's, and has no other names.
    static List<ServicePort> portsOf(ServiceObject service, WorkloadEntrySpec entry) {
        var ports = new ArrayList<ServicePort>();
        for (var port : tcpPorts(service)) {
            int target = entry.ports().getOrDefault(port.name(), numberOrZero(port.targetPort()));
            if (target > 0) {
                ports.add(new ServicePort(port.port(), target, protocol(port)));
            }
        }
        return ports;
    }

    /// The service's ports as one of its pods serves them; a port that is named where the pod has no such name is left
    /// out.
    static List<ServicePort> portsOf(ServiceObject service, PodSpec pod) {
        var ports = new ArrayList<ServicePort>();
        for (var port : tcpPorts(service)) {
            var target = port.targetPort().resolve(pod, TransportProtocol.TCP);
            if (target.isPresent()) {
                ports.add(new ServicePort(port.port(), target.getAsInt(), protocol(port)));
            }
        }
        return ports;
    }

    private static List<ServiceObject.Port> tcpPorts(ServiceObject service) {
        return service.ports().stream()
                .filter(port -> port.protocol() == TransportProtocol.TCP)
                .toList();
    }

    private static int numberOrZero(PortRef port) {
        return switch (port) {
            case PortRef.Numbered(int number) -> number;
            case PortRef.Named _ -> 0;
        };
    }

    /// `appProtocol`, otherwise what the port's name starts with up to the first `-`.
    private static AppProtocol protocol(ServiceObject.Port port) {
        var declared = port.appProtocol().toLowerCase(Locale.ROOT);
        if (declared.isEmpty()) {
            int dash = port.name().indexOf('-');
            declared = dash < 0 ? port.name() : port.name().substring(0, dash);
        }
        return switch (declared) {
            case "http", "http1", "kubernetes.io/ws" -> AppProtocol.HTTP11;
            case "http2", "kubernetes.io/h2c" -> AppProtocol.HTTP2;
            case "grpc" -> AppProtocol.GRPC;
            case "https", "tls", "kubernetes.io/wss" -> AppProtocol.TLS;
            case "tcp", "mongo", "mysql", "redis" -> AppProtocol.TCP;
            default -> AppProtocol.UNKNOWN;
        };
    }

    private static IpFamilies ipFamilies(ServiceObject service) {
        var families = EnumSet.noneOf(IpFamily.class);
        families.addAll(service.ipFamilies());
        if (families.isEmpty()) {
            service.clusterIps()
                    .forEach(ip -> families.add(ip instanceof Inet4Address ? IpFamily.IPV4 : IpFamily.IPV6));
        }
        if (families.isEmpty()) {
            return IpFamilies.AUTOMATIC;
        }
        if (families.size() == 2) {
            return IpFamilies.DUAL;
        }
        return families.contains(IpFamily.IPV4) ? IpFamilies.IPV4_ONLY : IpFamilies.IPV6_ONLY;
    }

    /// Wire reference, 3.4.
    private static LoadBalancing loadBalancing(ServiceObject service, TrafficDistribution namespaceDistribution) {
        var health = service.publishNotReadyAddresses() ? HealthPolicy.ALLOW_ALL : HealthPolicy.ONLY_HEALTHY;
        if (service.internalTrafficPolicy() == InternalTrafficPolicy.LOCAL) {
            return new LoadBalancing(List.of(Scope.NODE), Mode.STRICT, health);
        }
        return spread(service.trafficDistribution(), namespaceDistribution, health);
    }

    private static LoadBalancing spread(
            TrafficDistribution own, TrafficDistribution namespaceDistribution, HealthPolicy health) {
        var distribution = own == TrafficDistribution.UNSPECIFIED ? namespaceDistribution : own;
        return switch (distribution) {
            case UNSPECIFIED, ANY -> new LoadBalancing(List.of(), Mode.UNSPECIFIED, health);
            case PREFER_SAME_ZONE ->
                new LoadBalancing(List.of(Scope.NETWORK, Scope.REGION, Scope.ZONE), Mode.FAILOVER, health);
            case PREFER_SAME_NODE ->
                new LoadBalancing(
                        List.of(Scope.NETWORK, Scope.REGION, Scope.ZONE, Scope.SUBZONE, Scope.NODE),
                        Mode.FAILOVER,
                        health);
        };
    }
}
