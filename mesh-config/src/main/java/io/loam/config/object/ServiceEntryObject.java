package io.loam.config.object;

import io.loam.config.object.ServiceObject.TrafficDistribution;
import io.loam.model.address.CidrBlock;
import java.util.List;
import java.util.Map;

/// A service that Kubernetes does not know: hosts outside of the cluster, or machines that belong to the mesh.
///
/// @param hosts in lower case, at least one; `*.example.com` stands for all below
/// @param addresses virtual addresses or ranges; empty = one is made up where that makes sense
/// @param endpoints written inside; empty if `workloadSelector` is not
/// @param workloadSelector picks WorkloadEntries and pods of its namespace; empty = none
/// @param exportedEverywhere whether other namespaces may see it
/// @param subjectAltNames identities accepted from endpoints besides their own
public record ServiceEntryObject(
        ObjectMeta meta,
        List<String> hosts,
        List<CidrBlock> addresses,
        List<Port> ports,
        Location location,
        Resolution resolution,
        List<WorkloadEntrySpec> endpoints,
        Map<String, String> workloadSelector,
        boolean exportedEverywhere,
        List<String> subjectAltNames,
        TrafficDistribution trafficDistribution)
        implements MeshObject {
    public ServiceEntryObject {
        hosts = List.copyOf(hosts);
        addresses = List.copyOf(addresses);
        ports = List.copyOf(ports);
        endpoints = List.copyOf(endpoints);
        workloadSelector = Map.copyOf(workloadSelector);
        subjectAltNames = List.copyOf(subjectAltNames);
    }

    /// @param targetPort the same as `number` where not written
    /// @param protocol as written, for example `HTTPS`
    public record Port(String name, int number, int targetPort, String protocol) {}

    public enum Location {
        /// Outside of the mesh: no mutual TLS. Istio's default.
        MESH_EXTERNAL,
        MESH_INTERNAL
    }

    public enum Resolution {
        /// Not resolved: connections go where the application meant them to go. Istio's default.
        NONE,
        /// To the addresses of the endpoints.
        STATIC,
        /// To what the host names of the endpoints, or the host itself, resolve to.
        DNS,
        /// As DNS for one connection.
        DNS_ROUND_ROBIN,
        /// To what the name that a request asks for resolves to: a waypoint's business.
        DYNAMIC_DNS;

        public boolean byName() {
            return switch (this) {
                case DNS, DNS_ROUND_ROBIN -> true;
                case NONE, STATIC, DYNAMIC_DNS -> false;
            };
        }
    }
}
