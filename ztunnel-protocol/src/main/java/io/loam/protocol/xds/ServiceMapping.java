package io.loam.protocol.xds;

import io.loam.model.address.NamespacedHostname;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.Service;
import io.loam.model.service.Service.IpFamilies;
import io.loam.model.service.Service.Visibility;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.WeightedWaypoint;
import io.loam.protocol.proto.workload.IPFamilies;
import io.loam.protocol.proto.workload.NetworkAddress;
import java.util.stream.IntStream;

/// Services on the wire (wire reference, 4.3).
public final class ServiceMapping {
    private ServiceMapping() {}

    /// @throws InvalidResourceException if the service cannot be used
    public static Service toModel(io.loam.protocol.proto.workload.Service message) {
        var fields = new ResourceFields(message.getNamespace() + "/" + message.getHostname());
        return new Service(
                message.getName(),
                new NamespacedHostname(message.getNamespace(), fields.required("hostname", message.getHostname())),
                IntStream.range(0, message.getAddressesCount())
                        .mapToObj(i -> address(fields, "addresses[" + i + "]", message.getAddresses(i)))
                        .toList(),
                fields.ports("ports", message.getPortsList()),
                message.getSubjectAltNamesList(),
                message.hasWaypoint() ? fields.gateway("waypoint", message.getWaypoint()) : null,
                IntStream.range(0, message.getWeightedWaypointsCount())
                        .mapToObj(
                                i -> weighted(fields, "weighted_waypoints[" + i + "]", message.getWeightedWaypoints(i)))
                        .toList(),
                message.hasLoadBalancing() ? balancing(fields, message.getLoadBalancing()) : LoadBalancing.ANY,
                switch (message.getIpFamilies()) {
                    case AUTOMATIC -> IpFamilies.AUTOMATIC;
                    case IPV4_ONLY -> IpFamilies.IPV4_ONLY;
                    case IPV6_ONLY -> IpFamilies.IPV6_ONLY;
                    case DUAL -> IpFamilies.DUAL;
                    case UNRECOGNIZED -> throw fields.invalid("ip_families", message.getIpFamiliesValue(), "0 to 3");
                },
                message.getCanonical(),
                message.getIngressUseWaypoint(),
                switch (message.getVisibility()) {
                    case NAMESPACE -> Visibility.NAMESPACE;
                    // a later, narrower kind must not make the service vanish (4.3)
                    case PUBLIC, UNRECOGNIZED -> Visibility.PUBLIC;
                });
    }

    public static io.loam.protocol.proto.workload.Service toProto(Service service) {
        var message = io.loam.protocol.proto.workload.Service.newBuilder()
                .setName(service.name())
                .setNamespace(service.namespace())
                .setHostname(service.hostname())
                .addAllAddresses(service.addresses().stream()
                        .map(ServiceMapping::toProto)
                        .toList())
                .addAllPorts(ResourceFields.toProto(service.ports()))
                .addAllSubjectAltNames(service.subjectAltNames())
                .addAllWeightedWaypoints(service.weightedWaypoints().stream()
                        .map(ServiceMapping::toProto)
                        .toList())
                .setIpFamilies(
                        switch (service.ipFamilies()) {
                            case AUTOMATIC -> IPFamilies.AUTOMATIC;
                            case IPV4_ONLY -> IPFamilies.IPV4_ONLY;
                            case IPV6_ONLY -> IPFamilies.IPV6_ONLY;
                            case DUAL -> IPFamilies.DUAL;
                        })
                .setCanonical(service.canonical())
                .setIngressUseWaypoint(service.ingressUseWaypoint())
                .setVisibility(
                        switch (service.visibility()) {
                            case PUBLIC -> io.loam.protocol.proto.workload.Visibility.PUBLIC;
                            case NAMESPACE -> io.loam.protocol.proto.workload.Visibility.NAMESPACE;
                        });
        if (service.waypoint() != null) {
            message.setWaypoint(ResourceFields.toProto(service.waypoint()));
        }
        if (!service.loadBalancing().equals(LoadBalancing.ANY)) {
            message.setLoadBalancing(toProto(service.loadBalancing()));
        }
        return message.build();
    }

    private static ServiceAddress address(ResourceFields fields, String field, NetworkAddress message) {
        return new ServiceAddress(
                message.getNetwork(),
                fields.block(field, message.getAddress(), message.hasLength() ? message.getLength() : null));
    }

    private static NetworkAddress toProto(ServiceAddress address) {
        var message = NetworkAddress.newBuilder()
                .setNetwork(address.network())
                .setAddress(ResourceFields.toProto(address.block().address()));
        if (!address.block().isHost()) {
            message.setLength(address.block().prefixLength());
        }
        return message.build();
    }

    private static WeightedWaypoint weighted(
            ResourceFields fields, String field, io.loam.protocol.proto.workload.WeightedWaypoint message) {
        return new WeightedWaypoint(
                fields.gateway(field + ".destination", message.getDestination()),
                fields.weight(field + ".weight", message.getWeight()));
    }

    private static io.loam.protocol.proto.workload.WeightedWaypoint toProto(WeightedWaypoint weighted) {
        return io.loam.protocol.proto.workload.WeightedWaypoint.newBuilder()
                .setDestination(ResourceFields.toProto(weighted.waypoint()))
                .setWeight(weighted.weight())
                .build();
    }

    private static LoadBalancing balancing(
            ResourceFields fields, io.loam.protocol.proto.workload.LoadBalancing message) {
        return new LoadBalancing(
                IntStream.range(0, message.getRoutingPreferenceCount())
                        .mapToObj(i -> scope(fields, i, message))
                        .toList(),
                switch (message.getMode()) {
                    case UNSPECIFIED_MODE -> Mode.UNSPECIFIED;
                    case STRICT -> Mode.STRICT;
                    case FAILOVER -> Mode.FAILOVER;
                    case PASSTHROUGH -> Mode.PASSTHROUGH;
                    case UNRECOGNIZED -> throw fields.invalid("load_balancing.mode", message.getModeValue(), "0 to 3");
                },
                switch (message.getHealthPolicy()) {
                    case ONLY_HEALTHY -> HealthPolicy.ONLY_HEALTHY;
                    case ALLOW_ALL -> HealthPolicy.ALLOW_ALL;
                    case UNRECOGNIZED ->
                        throw fields.invalid(
                                "load_balancing.health_policy",
                                message.getHealthPolicyValue(),
                                "ONLY_HEALTHY or ALLOW_ALL");
                });
    }

    private static LoadBalancing.Scope scope(
            ResourceFields fields, int index, io.loam.protocol.proto.workload.LoadBalancing message) {
        return switch (message.getRoutingPreference(index)) {
            case REGION -> LoadBalancing.Scope.REGION;
            case ZONE -> LoadBalancing.Scope.ZONE;
            case SUBZONE -> LoadBalancing.Scope.SUBZONE;
            case NODE -> LoadBalancing.Scope.NODE;
            case CLUSTER -> LoadBalancing.Scope.CLUSTER;
            case NETWORK -> LoadBalancing.Scope.NETWORK;
            case UNSPECIFIED_SCOPE, UNRECOGNIZED ->
                throw fields.invalid(
                        "load_balancing.routing_preference[" + index + "]",
                        message.getRoutingPreferenceValue(index),
                        "1 to 6");
        };
    }

    private static io.loam.protocol.proto.workload.LoadBalancing toProto(LoadBalancing balancing) {
        var message = io.loam.protocol.proto.workload.LoadBalancing.newBuilder()
                .setMode(
                        switch (balancing.mode()) {
                            case UNSPECIFIED -> io.loam.protocol.proto.workload.LoadBalancing.Mode.UNSPECIFIED_MODE;
                            case STRICT -> io.loam.protocol.proto.workload.LoadBalancing.Mode.STRICT;
                            case FAILOVER -> io.loam.protocol.proto.workload.LoadBalancing.Mode.FAILOVER;
                            case PASSTHROUGH -> io.loam.protocol.proto.workload.LoadBalancing.Mode.PASSTHROUGH;
                        })
                .setHealthPolicy(
                        switch (balancing.health()) {
                            case ONLY_HEALTHY ->
                                io.loam.protocol.proto.workload.LoadBalancing.HealthPolicy.ONLY_HEALTHY;
                            case ALLOW_ALL -> io.loam.protocol.proto.workload.LoadBalancing.HealthPolicy.ALLOW_ALL;
                        });
        for (var scope : balancing.preferences()) {
            message.addRoutingPreference(
                    switch (scope) {
                        case REGION -> io.loam.protocol.proto.workload.LoadBalancing.Scope.REGION;
                        case ZONE -> io.loam.protocol.proto.workload.LoadBalancing.Scope.ZONE;
                        case SUBZONE -> io.loam.protocol.proto.workload.LoadBalancing.Scope.SUBZONE;
                        case NODE -> io.loam.protocol.proto.workload.LoadBalancing.Scope.NODE;
                        case CLUSTER -> io.loam.protocol.proto.workload.LoadBalancing.Scope.CLUSTER;
                        case NETWORK -> io.loam.protocol.proto.workload.LoadBalancing.Scope.NETWORK;
                    });
        }
        return message.build();
    }
}
