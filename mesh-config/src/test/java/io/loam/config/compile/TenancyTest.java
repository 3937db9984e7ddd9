package io.loam.config.compile;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.decision.OutboundRequest;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.decision.OutboundRouter;
import io.loam.model.dns.AddressFamily;
import io.loam.model.dns.NameAnswer;
import io.loam.model.dns.NameResolver;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.workload.Workload;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/// Hazard I21: what namespace `evil` writes changes nothing for pods of others: no name they look up, no address
/// they call, nothing that decides about connections to them.
final class TenancyTest {
    private static final String MESH = """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: web}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: evil}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: cart, namespace: shop}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: db, namespace: shop}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: client, namespace: web}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: intruder, namespace: evil}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: cart, namespace: shop, labels: {app: cart}}
            spec: {serviceAccountName: cart, containers: [{name: web, command: [run]}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: db-0, namespace: shop, labels: {app: db}}
            spec: {serviceAccountName: db, containers: [{name: web, command: [run]}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: client, namespace: web, labels: {app: client}}
            spec: {serviceAccountName: client, containers: [{name: web, command: [run]}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: intruder, namespace: evil, labels: {app: cart}}
            spec: {serviceAccountName: intruder, containers: [{name: web, command: [run]}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: cart, namespace: shop}
            spec: {clusterIP: 10.96.0.7, selector: {app: cart}, ports: [{port: 80}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: db, namespace: shop}
            spec: {clusterIP: None, selector: {app: db}, ports: [{port: 80}]}
            ---
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: api, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z"}
            spec:
              hosts: [api.example.com]
              addresses: [198.51.100.1]
              resolution: STATIC
              ports: [{number: 80, name: tcp, protocol: TCP}]
              endpoints: [{address: 192.0.2.7}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: w, namespace: shop, labels: {istio.io/waypoint-for: all}}
            spec:
              gatewayClassName: istio-waypoint
              listeners: [{name: mesh, port: 15008, protocol: HBONE}]
            """;

    private static final String CART = "10.244.1.1";

    /// What others may mean, whether it is there or not. (`later.shop` is not in the list: until there is such a
    /// service it may be a name of the internet, as `example.dev` is where a namespace is called `dev`.)
    private static final List<String> NAMES = List.of(
            "cart",
            "cart.shop",
            "cart.shop.svc",
            "cart.shop.svc.cluster.local",
            "cart.shop.web.svc.cluster.local",
            "cart.shop.svc.cluster.local.web.svc.cluster.local",
            "db-0.db.shop",
            "db-0.db.shop.svc.cluster.local",
            "db.shop",
            "later.shop.svc.cluster.local",
            "x.later.shop.svc.cluster.local",
            "later.web.svc.cluster.local",
            "later",
            "kubernetes.default.svc.cluster.local",
            "api.example.com",
            "api.example.com.web.svc.cluster.local");

    private static final List<String> ADDRESSES =
            List.of("10.96.0.7", CART, "10.244.1.2", "10.244.1.3", "198.51.100.1", "192.0.2.7");

    private static final NameResolver RESOLVER = new NameResolver("cluster.local", "", true);

    /// Specs of ServiceEntries.
    private static final List<String> ENTRIES = List.of(
            // a name of Kubernetes, as a whole, in its short forms and under wildcards
            "hosts: [cart.shop.svc.cluster.local]",
            "hosts: [later.shop.svc.cluster.local]",
            "hosts: [x.later.shop.svc.cluster.local]",
            "hosts: [cart.shop.svc]",
            "hosts: [cart.shop]",
            "hosts: [cart]",
            "hosts: [db-0.db.shop.svc.cluster.local]",
            "hosts: [db-0.db.shop]",
            "hosts: [shop.svc.cluster.local]",
            "hosts: [\"*.cart.shop.svc.cluster.local\"]",
            "hosts: [\"*.shop.svc.cluster.local\"]",
            "hosts: [\"*.svc.cluster.local\"]",
            "hosts: [\"*.cluster.local\"]",
            "hosts: [\"*.local\"]",
            "hosts: [\"*.shop\"]",
            "hosts: [Cart.SHOP.svc.cluster.local]",
            // a host that somebody else has added to the mesh
            "hosts: [api.example.com]",
            "hosts: [own.example.com, api.example.com]",
            // addresses
            "hosts: [own.example.com], addresses: [10.96.0.7]",
            "hosts: [own.example.com], addresses: [10.244.1.1]",
            "hosts: [own.example.com], addresses: [10.244.0.0/16]",
            "hosts: [own.example.com], addresses: [10.244.1.1/32, 10.244.1.2/32]",
            "hosts: [own.example.com], addresses: [10.96.0.0/12]",
            "hosts: [own.example.com], addresses: [198.51.100.1]",
            "hosts: [own.example.com], addresses: [198.51.100.0/24]");

    @Test
    void aServiceEntryChangesNothingForOthers() {
        for (var spec : ENTRIES) {
            assertNothingChanges("""
                    apiVersion: networking.istio.io/v1
                    kind: ServiceEntry
                    metadata: {name: mine, namespace: evil, creationTimestamp: "2026-01-02T00:00:00Z"}
                    spec: {%s, resolution: STATIC, ports: [{number: 80, name: tcp, protocol: TCP}],
                      endpoints: [{address: 203.0.113.66}]}
                    """.formatted(spec));
        }
        reached(ENTRIES.size() + " ServiceEntries for names and addresses of others");
    }

    private static void reached(String documents) {
        System.out.printf(
                "hazard I21: %s: 0 answers to %d names, 0 routes to %d addresses, 0 workloads and policies of others"
                        + " changed%n",
                documents, NAMES.size(), ADDRESSES.size());
    }

    @Test
    void objectsThatSelectOrNameThoseOfOthersChangeNothingForThem() {
        assertNothingChanges("""
                apiVersion: networking.istio.io/v1
                kind: WorkloadEntry
                metadata: {name: mine, namespace: evil, labels: {app: cart, networking.istio.io/tunnel: http}}
                spec: {address: 10.244.1.1, serviceAccount: intruder, labels: {app: cart}}
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: cart, namespace: evil}
                spec: {clusterIP: 10.96.0.66, selector: {app: cart}, ports: [{port: 80}]}
                ---
                apiVersion: networking.istio.io/v1
                kind: Sidecar
                metadata: {name: default, namespace: evil}
                spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
                """);
        assertNothingChanges("""
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: nobody, namespace: evil}
                spec: {selector: {matchLabels: {app: cart}}}
                ---
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: everybody, namespace: evil}
                spec: {rules: [{}]}
                ---
                apiVersion: security.istio.io/v1
                kind: PeerAuthentication
                metadata: {name: open, namespace: evil}
                spec: {selector: {matchLabels: {app: cart}}, mtls: {mode: DISABLE}}
                ---
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: mine, namespace: evil, labels: {istio.io/waypoint-for: all}}
                spec:
                  gatewayClassName: istio-waypoint
                  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
                """);
        reached("Service, WorkloadEntry, Sidecar, policies and waypoint that select or name others' pods");
    }

    /// What this class compares is not blind, and who may say so may.
    @Test
    void theNamespaceItselfAndTheOperatorGetWhatTheyWrite() {
        var entry = """
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: mine, namespace: evil}
                spec: {hosts: [later.shop.svc.cluster.local], addresses: [203.0.113.5], resolution: STATIC,
                  ports: [{number: 80, name: tcp, protocol: TCP}], endpoints: [{address: 203.0.113.66}]}
                """;
        var answer = new NameAnswer.Addresses("", List.of(InetAddress.ofLiteral("203.0.113.5")));
        var evils = with(entry);
        var operators = with(entry.replace("namespace: evil", "namespace: istio-system"));
        var own = with(entry.replace("namespace: evil", "namespace: shop"));

        assertThat(resolve(evils, "intruder", "later.shop.svc.cluster.local")).isEqualTo(answer);
        assertThat(resolve(evils, "client", "later.shop.svc.cluster.local")).isEqualTo(NameAnswer.NOT_OURS);
        assertThat(resolve(operators, "client", "later.shop.svc.cluster.local")).isEqualTo(answer);
        assertThat(resolve(own, "client", "later.shop.svc.cluster.local")).isEqualTo(answer);
        assertThat(evils.problems()).singleElement().asString().contains("only pods of its own namespace see");
        assertThat(operators.problems()).isEmpty();
        assertThat(own.problems()).isEmpty();
    }

    private static Compiled with(String document) {
        return Compiled.of(MESH + "---\n" + document);
    }

    private static void assertNothingChanges(String document) {
        var before = Compiled.of(MESH);
        var after = with(document);

        assertThat(seenByOthers(after)).as(document).isEqualTo(seenByOthers(before));
    }

    private static Map<String, Object> seenByOthers(Compiled compiled) {
        var seen = new LinkedHashMap<String, Object>();
        var snapshot = compiled.snapshot();
        for (var client : List.of("client", "cart")) {
            for (var name : NAMES) {
                seen.put(client + " asks for " + name, resolve(compiled, client, name));
            }
            for (var address : ADDRESSES) {
                seen.put(client + " calls " + address, routes(snapshot, compiled.workload(client), address));
            }
        }
        for (var workload : compiled.mesh().workloads()) {
            if (!workload.namespace().equals("evil")) {
                seen.put(workload.uid(), workload); // with its policies, services and waypoint
            }
        }
        for (var policy : compiled.mesh().policies()) {
            if (!policy.namespace().equals("evil") || policy.scope() == AuthorizationPolicy.Scope.GLOBAL) {
                seen.put(policy.key(), policy);
            }
        }
        return seen;
    }

    private static NameAnswer resolve(Compiled compiled, String client, String name) {
        return RESOLVER.resolve(
                compiled.snapshot(), compiled.workload(client), name, AddressFamily.IPV4, new SplittableRandom(1));
    }

    /// With every random number that matters.
    private static Set<OutboundRoute> routes(MeshSnapshot mesh, Workload client, String address) {
        return LongStream.range(0, 16)
                .mapToObj(seed -> OutboundRouter.route(
                        mesh,
                        new OutboundRequest(
                                client,
                                client.addresses().getFirst(),
                                new InetSocketAddress(InetAddress.ofLiteral(address), 80)),
                        new SplittableRandom(seed)))
                .collect(Collectors.toSet());
    }
}
