package io.loam.model.workload;

import io.loam.model.address.GatewayAddress;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.identity.SpiffeId;
import io.loam.model.service.ServicePort;
import java.net.InetAddress;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// One endpoint of the mesh: a pod, a VM, an address outside.
///
/// @param uid primary key, for example `Kubernetes//Pod/shop/cart-1`
/// @param name of the pod
/// @param addresses one per family; empty where only a host name or a gateway is known
/// @param hostname resolved on demand where there is no address; "" otherwise
/// @param network "" is the default network
/// @param tunnel whether peers speak HBONE to it
/// @param nativeTunnel it terminates HBONE itself (waypoint, gateway): no agent does it for it
/// @param workloadName of what owns the pod (Deployment, Job), for metrics
/// @param authorizationPolicies `namespace/name` of the policies that select it
/// @param services the services it is an endpoint of, with its own ports
/// @param capacity weight among the endpoints of a service; 1 by default, 0 gets nothing
/// @param egress what it may call that the mesh does not know
public record Workload(
        String uid,
        String name,
        String namespace,
        List<InetAddress> addresses,
        String hostname,
        String network,
        TunnelProtocol tunnel,
        String trustDomain,
        String serviceAccount,
        @Nullable GatewayAddress waypoint,
        @Nullable GatewayAddress networkGateway,
        String node,
        String canonicalName,
        String canonicalRevision,
        Type type,
        String workloadName,
        boolean nativeTunnel,
        @Nullable ApplicationTunnel applicationTunnel,
        Map<NamespacedHostname, List<ServicePort>> services,
        List<String> authorizationPolicies,
        Status status,
        String clusterId,
        Locality locality,
        NetworkMode networkMode,
        int capacity,
        Egress egress) {
    public static final String DEFAULT_TRUST_DOMAIN = "cluster.local";
    public static final String DEFAULT_SERVICE_ACCOUNT = "default";
    public static final String DEFAULT_CLUSTER = "Kubernetes";

    public Workload {
        addresses = List.copyOf(addresses);
        services = Map.copyOf(services);
        authorizationPolicies = List.copyOf(authorizationPolicies);
    }

    /// Who it must prove to be.
    ///
    /// @throws IllegalArgumentException if its names make no identity; see {@link #provableIdentity}
    public SpiffeId identity() {
        return new SpiffeId(trustDomain, namespace, serviceAccount);
    }

    /// Who it must prove to be, or nobody: gateways of other networks come without namespace.
    public Optional<SpiffeId> provableIdentity() {
        return SpiffeId.of(trustDomain, namespace, serviceAccount);
    }

    public enum TunnelProtocol {
        NONE,
        HBONE
    }

    public enum Status {
        HEALTHY,
        UNHEALTHY
    }

    public enum Type {
        DEPLOYMENT,
        CRONJOB,
        POD,
        JOB
    }

    /// Where a workload may go outside of what the mesh knows; Istio calls it outboundTrafficPolicy.
    public enum Egress {
        ALLOW_ANY,
        /// Only to services and workloads that the mesh knows.
        REGISTRY_ONLY
    }

    public enum NetworkMode {
        STANDARD,
        /// Shares its node's addresses, so it is never found by address.
        HOST_NETWORK
    }
}
