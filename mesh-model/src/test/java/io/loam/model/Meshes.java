package io.loam.model;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.GatewayAddress;
import io.loam.model.address.GatewayAddress.Destination;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.address.NetworkAddress;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.Service;
import io.loam.model.service.Service.IpFamilies;
import io.loam.model.service.Service.Visibility;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.service.ServicePort.AppProtocol;
import io.loam.model.service.WeightedWaypoint;
import io.loam.model.workload.ApplicationTunnel;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;

/// Builds small meshes: a record has 25 components, a test cares about two.
public final class Meshes {
    private Meshes() {}

    public static InetAddress ip(String literal) {
        return InetAddress.ofLiteral(literal);
    }

    public static InetSocketAddress at(String literal, int port) {
        return new InetSocketAddress(ip(literal), port);
    }

    public static NetworkAddress address(String literal) {
        return new NetworkAddress("", ip(literal));
    }

    public static NamespacedHostname key(String namespace, String name) {
        return new NamespacedHostname(namespace, name + "." + namespace + ".svc.cluster.local");
    }

    public static ServicePort port(int servicePort, int targetPort) {
        return new ServicePort(servicePort, targetPort, AppProtocol.UNKNOWN);
    }

    public static GatewayAddress gateway(String literal) {
        return new GatewayAddress(new Destination.ByAddress(address(literal)), 15008);
    }

    public static GatewayAddress gateway(NamespacedHostname service) {
        return new GatewayAddress(new Destination.ByHostname(service), 15008);
    }

    /// In namespace "shop", with the service account of its name's first word, on HBONE.
    public static WorkloadBuilder pod(String name, String... ips) {
        return new WorkloadBuilder(name, ips);
    }

    /// In namespace "shop", canonical, port 80 to 8080.
    public static ServiceBuilder service(String name, String... addresses) {
        return new ServiceBuilder(name, addresses);
    }

    public static MeshSnapshot mesh(Object... resources) {
        var delta = MeshDelta.builder();
        for (var resource : resources) {
            switch (resource) {
                case Workload workload -> delta.upsert(workload);
                case WorkloadBuilder workload -> delta.upsert(workload.build());
                case Service service -> delta.upsert(service);
                case ServiceBuilder service -> delta.upsert(service.build());
                case AuthorizationPolicy policy -> delta.upsert(policy);
                default -> throw new IllegalArgumentException(resource.toString());
            }
        }
        return MeshSnapshot.EMPTY.apply(delta.build());
    }

    public static final class WorkloadBuilder {
        public String uid;
        public String namespace = "shop";
        public String hostname = "";
        public String network = "";
        public TunnelProtocol tunnel = TunnelProtocol.HBONE;
        public GatewayAddress waypoint;
        public GatewayAddress networkGateway;
        public String node = "node-1";
        public ApplicationTunnel applicationTunnel;
        public final Map<NamespacedHostname, List<ServicePort>> services = new LinkedHashMap<>();
        public List<String> policies = List.of();
        public Status status = Status.HEALTHY;
        public Locality locality = Locality.UNKNOWN;
        public NetworkMode networkMode = NetworkMode.STANDARD;
        public int capacity = 1;
        public Workload.Egress egress = Workload.Egress.ALLOW_ANY;
        private final String name;
        private final List<InetAddress> addresses = new ArrayList<>();

        private WorkloadBuilder(String name, String... ips) {
            this.name = name;
            this.uid = "Kubernetes//Pod/shop/" + name;
            Stream.of(ips).map(Meshes::ip).forEach(addresses::add);
        }

        public WorkloadBuilder of(NamespacedHostname service, ServicePort... ports) {
            services.put(service, List.of(ports));
            return this;
        }

        public WorkloadBuilder with(Consumer<WorkloadBuilder> change) {
            change.accept(this);
            return this;
        }

        public Workload build() {
            return new Workload(
                    uid,
                    name,
                    namespace,
                    addresses,
                    hostname,
                    network,
                    tunnel,
                    "cluster.local",
                    name.split("-")[0],
                    waypoint,
                    networkGateway,
                    node,
                    name,
                    "v1",
                    Workload.Type.DEPLOYMENT,
                    name,
                    false,
                    applicationTunnel,
                    services,
                    policies,
                    status,
                    "Kubernetes",
                    locality,
                    networkMode,
                    capacity,
                    egress);
        }
    }

    public static final class ServiceBuilder {
        public String namespace = "shop";
        public String hostname;
        public List<ServicePort> ports = List.of(port(80, 8080));
        public List<String> subjectAltNames = List.of();
        public GatewayAddress waypoint;
        public List<WeightedWaypoint> weighted = List.of();
        public LoadBalancing balancing = LoadBalancing.ANY;
        public IpFamilies families = IpFamilies.AUTOMATIC;
        public boolean canonical = true;
        public Visibility visibility = Visibility.PUBLIC;
        private final String name;
        private final List<ServiceAddress> addresses;

        private ServiceBuilder(String name, String... addresses) {
            this.name = name;
            this.addresses = Stream.of(addresses)
                    .map(text -> new ServiceAddress("", CidrBlock.parse(text)))
                    .toList();
        }

        public ServiceBuilder with(Consumer<ServiceBuilder> change) {
            change.accept(this);
            return this;
        }

        public Service build() {
            var key = key(namespace, name);
            return new Service(
                    name,
                    hostname == null ? key : new NamespacedHostname(namespace, hostname),
                    addresses,
                    ports,
                    subjectAltNames,
                    waypoint,
                    weighted,
                    balancing,
                    families,
                    canonical,
                    false,
                    visibility);
        }
    }
}
