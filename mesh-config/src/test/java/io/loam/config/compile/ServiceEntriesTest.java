package io.loam.config.compile;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.decision.OutboundRequest;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.decision.OutboundRouter;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.Service.Visibility;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.service.ServicePort.AppProtocol;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Wire reference, 3.1, 3.4 and 4.3.
final class ServiceEntriesTest {
    private static final String CALLER = """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: caller, namespace: shop, labels: {app: caller}}
            spec: {containers: [{name: web, command: [run]}]}
            """;

    @Test
    void inlineEndpointsOfAStaticEntryAreWorkloads() {
        var compiled = Compiled.of(CALLER + """
                ---
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: db, namespace: shop}
                spec:
                  hosts: [db.example.com, replica.example.com]
                  addresses: [198.51.100.1]
                  location: MESH_EXTERNAL
                  resolution: STATIC
                  exportTo: ["."]
                  subjectAltNames: ["spiffe://cluster.local/ns/shop/sa/db"]
                  ports: [{number: 5432, name: pg, protocol: TCP}, {number: 443, name: tls, protocol: TLS, targetPort: 8443}]
                  endpoints:
                  - {address: 192.0.2.7, ports: {pg: 15432}, weight: 3, locality: eu/eu-1, labels: {app: db}}
                  - {address: 192.0.2.8}
                """);

        var service = compiled.service("db.example.com");
        assertThat(service.addresses()).containsExactly(new ServiceAddress("", CidrBlock.parse("198.51.100.1")));
        assertThat(service.canonical()).isFalse();
        assertThat(service.visibility()).isEqualTo(Visibility.NAMESPACE);
        assertThat(service.subjectAltNames()).containsExactly("spiffe://cluster.local/ns/shop/sa/db");
        assertThat(service.ports())
                .containsExactly(
                        new ServicePort(5432, 5432, AppProtocol.TCP), new ServicePort(443, 8443, AppProtocol.TLS));
        var endpoints = compiled.mesh().workloads().stream()
                .filter(workload -> workload.name().equals("db"))
                .toList();
        var first = endpoints.getFirst();
        assertThat(first.uid()).isEqualTo("Kubernetes/networking.istio.io/ServiceEntry/shop/db/192.0.2.7");
        assertThat(first.tunnel()).isEqualTo(TunnelProtocol.NONE);
        assertThat(first.capacity()).isEqualTo(3);
        assertThat(first.locality()).isEqualTo(new Locality("eu", "eu-1", ""));
        assertThat(first.services())
                .containsOnlyKeys(
                        new NamespacedHostname("shop", "db.example.com"),
                        new NamespacedHostname("shop", "replica.example.com"));
        assertThat(target(compiled, "198.51.100.1", 443)).isIn(at("192.0.2.7", 8443), at("192.0.2.8", 8443));
    }

    @Test
    void anEntryThatIsNotResolvedPassesThrough() {
        var compiled = Compiled.of(CALLER + entry("addresses: [198.51.100.0/24]", "NONE"));

        var balancing = compiled.service("api.example.com").loadBalancing();
        assertThat(balancing.mode()).isEqualTo(Mode.PASSTHROUGH);
        assertThat(balancing.health()).isEqualTo(HealthPolicy.ALLOW_ALL);
        assertThat(target(compiled, "198.51.100.9", 443)).isEqualTo(at("198.51.100.9", 443));
    }

    @Test
    void aHostThatIsResolvedByNameIsItsOwnEndpointAndGetsAddresses() {
        var compiled = Compiled.of(CALLER + entry("", "DNS"));
        var addresses = compiled.service("api.example.com").addresses();

        assertThat(addresses).hasSize(2);
        assertThat(CidrBlock.parse("240.240.0.0/16")
                        .contains(addresses.get(0).block().address()))
                .isTrue();
        assertThat(CidrBlock.parse("2001:2::/48")
                        .contains(addresses.get(1).block().address()))
                .isTrue();
        assertThat(target(compiled, addresses.get(0).block().address().getHostAddress(), 443))
                .isEqualTo(InetSocketAddress.createUnresolved("api.example.com", 443));
        var again = Compiled.of(CALLER + entry("", "DNS").replace("name: api", "name: other"));
        assertThat(again.service("api.example.com").addresses()).isEqualTo(addresses);
    }

    @Test
    void madeUpAddressesNeverCollide() {
        var addresses = new EntryAddresses();
        var given = new java.util.HashSet<InetAddress>();
        for (int i = 0; i < 5_000; i++) { // a birthday at 16 bits: about 190 of these collide
            assertThat(given.addAll(addresses.give(new NamespacedHostname("shop", "h" + i + ".example.com"))))
                    .isTrue();
        }
        assertThat(given).hasSize(10_000);
    }

    @Test
    void noAddressIsMadeUpWhereNoneIsWanted() {
        assertThat(Compiled.of(CALLER + entry("", "NONE"))
                        .service("api.example.com")
                        .addresses())
                .isEmpty();
        var optedOut = entry("", "DNS")
                .replace(
                        "namespace: shop",
                        "namespace: shop, labels: {networking.istio.io/enable-autoallocate-ip: \"false\"}");
        assertThat(Compiled.of(CALLER + optedOut).service("api.example.com").addresses())
                .isEmpty();
    }

    @Test
    void selectorsPickWorkloadEntriesAndPodsAlike() {
        var compiled = Compiled.of(CALLER + """
                ---
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: vms, namespace: shop}
                spec:
                  hosts: [vms.example.com]
                  location: MESH_INTERNAL
                  resolution: STATIC
                  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]
                  workloadSelector: {labels: {app: vm}}
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: mixed, namespace: shop}
                spec: {clusterIP: 10.96.0.9, selector: {app: vm}, ports: [{name: http, port: 81, targetPort: web}]}
                ---
                apiVersion: networking.istio.io/v1
                kind: WorkloadEntry
                metadata: {name: vm-1, namespace: shop, labels: {networking.istio.io/tunnel: http}}
                spec: {address: 192.0.2.30, labels: {app: vm}, serviceAccount: vm, ports: {http: 9090}, network: ""}
                ---
                apiVersion: v1
                kind: Pod
                metadata: {name: pod-1, namespace: shop, labels: {app: vm}}
                spec: {containers: [{name: web, command: [run], ports: [{name: web, containerPort: 7070}]}]}
                """);

        var vm = compiled.workload("vm-1");
        assertThat(vm.uid()).isEqualTo("Kubernetes/networking.istio.io/WorkloadEntry/shop/vm-1");
        assertThat(vm.tunnel()).isEqualTo(TunnelProtocol.HBONE);
        assertThat(vm.nativeTunnel()).isTrue();
        assertThat(vm.identity()).hasToString("spiffe://cluster.local/ns/shop/sa/vm");
        assertThat(vm.services())
                .isEqualTo(Map.of(
                        new NamespacedHostname("shop", "vms.example.com"),
                        List.of(new ServicePort(80, 9090, AppProtocol.HTTP11)),
                        new NamespacedHostname("shop", "mixed.shop.svc.cluster.local"),
                        List.of(new ServicePort(81, 9090, AppProtocol.HTTP11))));
        assertThat(compiled.workload("pod-1").services())
                .containsEntry(
                        new NamespacedHostname("shop", "vms.example.com"),
                        List.of(new ServicePort(80, 8080, AppProtocol.HTTP11)));
    }

    @Test
    void aServiceOfKubernetesWinsOverAnEntryOfItsName() {
        var compiled =
                Compiled.of(CALLER + """
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: cart, namespace: shop}
                spec: {clusterIP: 10.96.0.9, selector: {app: caller}, ports: [{port: 80}]}
                """ + entry("", "DNS").replace("api.example.com", "cart.shop.svc.cluster.local"));

        assertThat(compiled.mesh().services()).singleElement().matches(service -> service.canonical());
        assertThat(compiled.problems())
                .singleElement()
                .asString()
                .contains("ServiceEntry shop/api: spec.hosts: cart.shop.svc.cluster.local")
                .contains("the Service is used");
    }

    private static String entry(String more, String resolution) {
        return """
                ---
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: api, namespace: shop}
                spec:
                  hosts: [api.example.com]
                  resolution: %s
                  ports: [{number: 443, name: tls, protocol: TLS}]
                  %s
                """.formatted(resolution, more);
    }

    private static InetSocketAddress at(String ip, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(ip), port);
    }

    private static InetSocketAddress target(Compiled compiled, String ip, int port) {
        var caller = compiled.workload("caller");
        var route = OutboundRouter.route(
                compiled.snapshot(),
                new OutboundRequest(caller, caller.addresses().getFirst(), at(ip, port)),
                new SplittableRandom(1));
        assertThat(route).isInstanceOf(OutboundRoute.Plaintext.class);
        return ((OutboundRoute.Plaintext) route).target();
    }
}
