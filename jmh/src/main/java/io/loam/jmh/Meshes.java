package io.loam.jmh;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.LoadBalancing.Scope;
import io.loam.model.service.Service;
import io.loam.model.service.Service.IpFamilies;
import io.loam.model.service.Service.Visibility;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.service.ServicePort.AppProtocol;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.InetAddress;
import java.util.List;
import java.util.Map;

/// Meshes of any size, always the same ones: workload `i` has the address 10.x.y.z with `i` in its last 24 bits,
/// runs on one of a hundred nodes in one of three zones, and is an endpoint of service `i` modulo the number of
/// services.
final class Meshes {
    static final int SERVICE_PORT = 80;
    static final int TARGET_PORT = 8080;

    /// The usual way to keep traffic in its zone.
    static final LoadBalancing NEAR = new LoadBalancing(
            List.of(Scope.NETWORK, Scope.REGION, Scope.ZONE), Mode.FAILOVER, HealthPolicy.ONLY_HEALTHY);

    private static final int NODES = 100;
    private static final int ZONES = 3;
    private static final List<ServicePort> PORTS =
            List.of(new ServicePort(SERVICE_PORT, TARGET_PORT, AppProtocol.UNKNOWN));

    private Meshes() {}

    static MeshSnapshot of(int workloads, int services, LoadBalancing balancing) {
        var delta = MeshDelta.builder();
        for (int i = 0; i < services; i++) {
            delta.upsert(service(i, balancing));
        }
        for (int i = 0; i < workloads; i++) {
            delta.upsert(workload(i, i % services, Status.HEALTHY));
        }
        return MeshSnapshot.EMPTY.apply(delta.build());
    }

    static InetAddress podAddress(int index) {
        return InetAddress.ofLiteral("10." + (index >>> 16) + "." + (index >>> 8 & 0xff) + "." + (index & 0xff));
    }

    static InetAddress serviceAddress(int index) {
        return InetAddress.ofLiteral("172.20." + (index >>> 8) + "." + (index & 0xff));
    }

    static NamespacedHostname serviceKey(int index) {
        return new NamespacedHostname("shop", "service-" + index + ".shop.svc.cluster.local");
    }

    static Service service(int index, LoadBalancing balancing) {
        return new Service(
                "service-" + index,
                serviceKey(index),
                List.of(new ServiceAddress("", CidrBlock.host(serviceAddress(index)))),
                PORTS,
                List.of(),
                null,
                List.of(),
                balancing,
                IpFamilies.AUTOMATIC,
                true,
                false,
                Visibility.PUBLIC);
    }

    static Workload workload(int index, int service, Status status) {
        return workload(index, service, status, List.of());
    }

    /// @param policies `namespace/name` of those that select it
    static Workload workload(int index, int service, Status status, List<String> policies) {
        int node = index % NODES;
        return new Workload(
                "Kubernetes//Pod/shop/workload-" + index,
                "workload-" + index,
                "shop",
                List.of(podAddress(index)),
                "",
                "",
                TunnelProtocol.HBONE,
                Workload.DEFAULT_TRUST_DOMAIN,
                "account-" + service,
                null,
                null,
                "node-" + node,
                "app-" + service,
                "v1",
                Workload.Type.DEPLOYMENT,
                "app-" + service,
                false,
                null,
                Map.of(serviceKey(service), PORTS),
                policies,
                status,
                Workload.DEFAULT_CLUSTER,
                new Locality("region-0", "zone-" + node % ZONES, ""),
                NetworkMode.STANDARD,
                1,
                Workload.Egress.ALLOW_ANY);
    }
}
