package io.loam.model.service;

import io.loam.model.address.GatewayAddress;
import io.loam.model.address.NamespacedHostname;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A named destination: a Kubernetes Service, a ServiceEntry, or what another dialect calls a service.
///
/// @param name short name, for people and metrics
/// @param key namespace and fully qualified host name
/// @param addresses virtual addresses; empty for a headless service
/// @param subjectAltNames identities accepted from endpoints besides their own, as URIs
/// @param waypoint the L7 proxy all connections to the service go through, or null
/// @param canonical wins over others with the same host name or address
public record Service(
        String name,
        NamespacedHostname key,
        List<ServiceAddress> addresses,
        List<ServicePort> ports,
        List<String> subjectAltNames,
        @Nullable GatewayAddress waypoint,
        List<WeightedWaypoint> weightedWaypoints,
        LoadBalancing loadBalancing,
        IpFamilies ipFamilies,
        boolean canonical,
        boolean ingressUseWaypoint,
        Visibility visibility) {
    public Service {
        addresses = List.copyOf(addresses);
        ports = List.copyOf(ports);
        subjectAltNames = List.copyOf(subjectAltNames);
        weightedWaypoints = List.copyOf(weightedWaypoints);
    }

    public String namespace() {
        return key.namespace();
    }

    public String hostname() {
        return key.hostname();
    }

    /// The declaration of a port that callers use, if the service serves it.
    public Optional<ServicePort> port(int servicePort) {
        for (var port : ports) {
            if (port.servicePort() == servicePort) {
                return Optional.of(port);
            }
        }
        return Optional.empty();
    }

    /// Where the service's declaration sends a port that callers use. Allocates nothing.
    ///
    /// @return 1 to 65535, or 0 if the port is not declared, or only by name
    public int targetPort(int servicePort) {
        for (int i = 0; i < ports.size(); i++) {
            var port = ports.get(i);
            if (port.servicePort() == servicePort) {
                return port.targetPort();
            }
        }
        return 0;
    }

    public enum IpFamilies {
        AUTOMATIC,
        IPV4_ONLY,
        IPV6_ONLY,
        DUAL
    }

    /// Who may look the service up.
    public enum Visibility {
        PUBLIC,
        NAMESPACE
    }
}
