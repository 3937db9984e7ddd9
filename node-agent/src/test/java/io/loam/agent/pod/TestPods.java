package io.loam.agent.pod;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.service.ServicePort.AppProtocol;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import io.loam.runtime.config.SocketConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/// Pods of namespace `shop` that live in the namespace of the test, and what the mesh says about them.
public final class TestPods {
    public static final SocketConfig SOCKETS = new SocketConfig(
            SocketConfig.DEFAULT_MARK, false, true, false, SocketConfig.KeepAlive.DEFAULT, Duration.ofSeconds(2));

    private TestPods() {}

    /// @param name also the name of its service account
    public static LocalPod pod(String name) {
        try {
            return new LocalPod("uid-" + name, new WorkloadInfo(name, "shop", name), Netns.current(), SOCKETS);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// @param policies `namespace/name` of those that select it
    public static Workload workload(String name, String address, String... policies) {
        return workload(name, address, Map.of(), Workload.TunnelProtocol.HBONE, policies);
    }

    /// One that may call only what the mesh knows.
    public static Workload closed(String name, String address) {
        var open = workload(name, address);
        return new Workload(
                open.uid(),
                open.name(),
                open.namespace(),
                open.addresses(),
                open.hostname(),
                open.network(),
                open.tunnel(),
                open.trustDomain(),
                open.serviceAccount(),
                open.waypoint(),
                open.networkGateway(),
                open.node(),
                open.canonicalName(),
                open.canonicalRevision(),
                open.type(),
                open.workloadName(),
                open.nativeTunnel(),
                open.applicationTunnel(),
                open.services(),
                open.authorizationPolicies(),
                open.status(),
                open.clusterId(),
                open.locality(),
                open.networkMode(),
                open.capacity(),
                Workload.Egress.REGISTRY_ONLY);
    }

    /// An endpoint of the service of its name that is known by a host name only.
    public static Workload named(String name, String hostname, Workload.TunnelProtocol tunnel) {
        var ports = Map.of(key(name), List.<ServicePort>of());
        return workload(name, List.of(), hostname, ports, tunnel);
    }

    /// One with an address of each family.
    public static Workload dual(String name, String ipv4, String ipv6) {
        var addresses = List.of(InetAddress.ofLiteral(ipv4), InetAddress.ofLiteral(ipv6));
        return workload(name, addresses, "", Map.of(), Workload.TunnelProtocol.HBONE);
    }

    private static NamespacedHostname key(String service) {
        return new NamespacedHostname("shop", service + ".shop.svc.cluster.local");
    }

    /// A service of namespace `shop` that serves port 5432.
    public static Service service(String name, String address) {
        return new Service(
                name,
                key(name),
                List.of(new ServiceAddress("", CidrBlock.parse(address))),
                List.of(new ServicePort(5432, 5432, AppProtocol.TCP)),
                List.of(),
                null,
                List.of(),
                LoadBalancing.ANY,
                Service.IpFamilies.AUTOMATIC,
                true,
                false,
                Service.Visibility.PUBLIC);
    }

    public static Workload workload(
            String name,
            String address,
            Map<NamespacedHostname, List<ServicePort>> services,
            Workload.TunnelProtocol tunnel,
            String... policies) {
        return workload(name, List.of(InetAddress.ofLiteral(address)), "", services, tunnel, policies);
    }

    private static Workload workload(
            String name,
            List<InetAddress> addresses,
            String hostname,
            Map<NamespacedHostname, List<ServicePort>> services,
            Workload.TunnelProtocol tunnel,
            String... policies) {
        return new Workload(
                "Kubernetes//Pod/shop/" + name,
                name,
                "shop",
                addresses,
                hostname,
                "",
                tunnel,
                Workload.DEFAULT_TRUST_DOMAIN,
                name,
                null,
                null,
                "node-1",
                name,
                "v1",
                Workload.Type.DEPLOYMENT,
                name,
                false,
                null,
                services,
                List.of(policies),
                Workload.Status.HEALTHY,
                Workload.DEFAULT_CLUSTER,
                new Locality("eu", "eu-1", ""),
                Workload.NetworkMode.STANDARD,
                1,
                Workload.Egress.ALLOW_ANY);
    }
}
