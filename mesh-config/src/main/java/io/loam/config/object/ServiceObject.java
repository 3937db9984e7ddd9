package io.loam.config.object;

import java.net.InetAddress;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A name and virtual addresses for the pods a selector picks.
///
/// @param headless `clusterIP: None`: no virtual address, the name resolves to the pods
/// @param clusterIps virtual addresses: those asked for, or those given ({@link #withClusterIps}); empty = none yet
/// @param ipFamilies in the order written; empty = not written
/// @param selector empty = no pods of its own
/// @param publishNotReadyAddresses pods that are not ready get traffic too
/// @param externalName only for type EXTERNAL_NAME, otherwise ""
public record ServiceObject(
        ObjectMeta meta,
        Type type,
        boolean headless,
        List<InetAddress> clusterIps,
        List<IpFamily> ipFamilies,
        IpFamilyPolicy ipFamilyPolicy,
        List<Port> ports,
        Map<String, String> selector,
        boolean publishNotReadyAddresses,
        InternalTrafficPolicy internalTrafficPolicy,
        TrafficDistribution trafficDistribution,
        String externalName)
        implements MeshObject {
    public ServiceObject {
        clusterIps = List.copyOf(clusterIps);
        ipFamilies = List.copyOf(ipFamilies);
        ports = List.copyOf(ports);
        selector = Map.copyOf(selector);
    }

    /// The same service with the virtual addresses it was given.
    public ServiceObject withClusterIps(List<InetAddress> given) {
        return new ServiceObject(
                meta,
                type,
                headless,
                given,
                ipFamilies,
                ipFamilyPolicy,
                ports,
                selector,
                publishNotReadyAddresses,
                internalTrafficPolicy,
                trafficDistribution,
                externalName);
    }

    /// Whether the selector picks a pod with these labels in the service's namespace. A service without selector picks
    /// none.
    public boolean selects(String namespace, Map<String, String> labels) {
        return !selector.isEmpty()
                && namespace.equals(meta.namespace())
                && labels.entrySet().containsAll(selector.entrySet());
    }

    /// @param name "" only where it is the only port
    /// @param targetPort the same as `port` where not written
    /// @param appProtocol "" = not written
    public record Port(String name, int port, PortRef targetPort, TransportProtocol protocol, String appProtocol) {}

    public enum Type {
        CLUSTER_IP,
        NODE_PORT,
        LOAD_BALANCER,
        EXTERNAL_NAME
    }

    public enum IpFamily {
        IPV4,
        IPV6
    }

    public enum IpFamilyPolicy {
        /// One family.
        SINGLE_STACK,
        /// Both families; the same as REQUIRE where the cluster has both, as the lab does.
        PREFER_DUAL_STACK,
        REQUIRE_DUAL_STACK,
        /// Not written.
        UNSPECIFIED
    }

    public enum InternalTrafficPolicy {
        CLUSTER,
        /// Only endpoints on the caller's node; none there = no connection.
        LOCAL
    }

    public enum TrafficDistribution {
        /// Not written, neither on the service nor on its annotation `networking.istio.io/traffic-distribution`.
        UNSPECIFIED,
        /// `PreferClose` or `PreferSameZone`.
        PREFER_SAME_ZONE,
        PREFER_SAME_NODE,
        /// The annotation's `Any`: no preference, even where the namespace has one.
        ANY;

        /// Services and namespaces may have it; the field of the service wins, then its annotation.
        public static final String ANNOTATION = "networking.istio.io/traffic-distribution";

        /// Reads the value of the field or of the annotation; empty for what is neither.
        public static Optional<TrafficDistribution> parse(String text) {
            return switch (text) {
                case "PreferClose", "PreferSameZone" -> Optional.of(PREFER_SAME_ZONE);
                case "PreferSameNode" -> Optional.of(PREFER_SAME_NODE);
                case "Any" -> Optional.of(ANY);
                default -> Optional.empty();
            };
        }
    }
}
