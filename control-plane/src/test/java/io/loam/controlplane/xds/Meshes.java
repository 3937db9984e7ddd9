package io.loam.controlplane.xds;

import io.loam.config.compile.CompiledMesh;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Small meshes to subscribe to.
final class Meshes {
    private static final NamespacedHostname CART = new NamespacedHostname("shop", "cart.shop.svc.cluster.local");

    private Meshes() {}

    static MeshResources next(@Nullable MeshResources before, Object... models) {
        var workloads = Arrays.stream(models)
                .filter(Workload.class::isInstance)
                .map(Workload.class::cast)
                .toList();
        var services = Arrays.stream(models)
                .filter(Service.class::isInstance)
                .map(Service.class::cast)
                .toList();
        var policies = Arrays.stream(models)
                .filter(AuthorizationPolicy.class::isInstance)
                .map(AuthorizationPolicy.class::cast)
                .toList();
        long generation = before == null ? 1 : before.generation() + 1;
        return MeshResources.next(before, generation, new CompiledMesh(workloads, services, policies, List.of()));
    }

    static String uid(String name) {
        return "Kubernetes//Pod/shop/" + name;
    }

    /// An endpoint of {@link #cart}.
    static Workload endpoint(String name, String ip, String node) {
        return workload(name, ip, node, Map.of(CART, List.of()));
    }

    static Workload workload(String name, String ip, String node) {
        return workload(name, ip, node, Map.of());
    }

    static Service cart(String vip) {
        return new Service(
                "cart",
                CART,
                List.of(new ServiceAddress("", CidrBlock.host(InetAddress.ofLiteral(vip)))),
                List.of(),
                List.of(),
                null,
                List.of(),
                LoadBalancing.ANY,
                Service.IpFamilies.AUTOMATIC,
                true,
                false,
                Service.Visibility.PUBLIC);
    }

    /// A service of a ServiceEntry with a range of addresses.
    static Service range(String first, int prefixLength) {
        return new Service(
                "range",
                new NamespacedHostname("shop", "range.example.com"),
                List.of(new ServiceAddress("", new CidrBlock(InetAddress.ofLiteral(first), prefixLength))),
                List.of(),
                List.of(),
                null,
                List.of(),
                LoadBalancing.ANY,
                Service.IpFamilies.AUTOMATIC,
                false,
                false,
                Service.Visibility.PUBLIC);
    }

    static AuthorizationPolicy policy(String name) {
        return new AuthorizationPolicy(
                name, "shop", AuthorizationPolicy.Scope.NAMESPACE, AuthorizationPolicy.Action.DENY, List.of(), false);
    }

    private static Workload workload(
            String name, String ip, String node, Map<NamespacedHostname, List<ServicePort>> services) {
        return new Workload(
                uid(name),
                name,
                "shop",
                List.of(InetAddress.ofLiteral(ip)),
                "",
                "",
                Workload.TunnelProtocol.HBONE,
                "cluster.local",
                "cart",
                null,
                null,
                node,
                "cart",
                "v1",
                Workload.Type.POD,
                name,
                false,
                null,
                services,
                List.of(),
                Workload.Status.HEALTHY,
                "Kubernetes",
                Locality.UNKNOWN,
                Workload.NetworkMode.STANDARD,
                1,
                Workload.Egress.ALLOW_ANY);
    }
}
