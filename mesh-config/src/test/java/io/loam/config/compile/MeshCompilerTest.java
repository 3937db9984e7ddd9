package io.loam.config.compile;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.ConfigReader;
import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.RunningPod;
import io.loam.config.object.DeploymentObject;
import io.loam.config.object.PodObject;
import io.loam.config.problem.Problem;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.Match;
import io.loam.model.policy.StringMatch;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.service.ServicePort.AppProtocol;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MeshCompilerTest {
    private static final String CART = """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            apiVersion: v1
            kind: Node
            metadata: {name: node-1, labels: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: eu-1}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: cart, namespace: shop}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: cart-1, namespace: shop, labels: {app: cart, version: v2}}
            spec:
              serviceAccountName: cart
              containers: [{name: web, command: [cart], ports: [{name: web, containerPort: 8080}]}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: cart, namespace: shop}
            spec:
              clusterIPs: [10.96.0.7, "fd00:96::7"]
              selector: {app: cart}
              ports:
              - {name: http-web, port: 80, targetPort: web}
              - {name: other, port: 81, targetPort: 8081, appProtocol: kubernetes.io/h2c}
              - {name: dns, port: 53, protocol: UDP}
            """;
    private static final NamespacedHostname CART_SERVICE =
            new NamespacedHostname("shop", "cart.shop.svc.cluster.local");
    private static final Clause WITHOUT_IDENTITY =
            new Clause(List.of(MatchFields.principals(List.of(), List.of(new StringMatch.Presence()))));

    @Test
    void aCapturedPodBecomesAWorkloadThatSpeaksHbone() {
        var workload = compile(CART).workloads().getFirst();

        assertThat(workload)
                .isEqualTo(new Workload(
                        "Kubernetes//Pod/shop/cart-1",
                        "cart-1",
                        "shop",
                        List.of(InetAddress.ofLiteral("10.244.1.1"), InetAddress.ofLiteral("fd00:244:1::1")),
                        "",
                        "",
                        TunnelProtocol.HBONE,
                        "cluster.local",
                        "cart",
                        null,
                        null,
                        "node-1",
                        "cart",
                        "v2",
                        Workload.Type.POD,
                        "cart-1",
                        false,
                        null,
                        Map.of(
                                CART_SERVICE,
                                List.of(
                                        new ServicePort(80, 8080, AppProtocol.HTTP11),
                                        new ServicePort(81, 8081, AppProtocol.HTTP2))),
                        List.of(),
                        Status.HEALTHY,
                        "Kubernetes",
                        new Locality("eu", "eu-1", ""),
                        NetworkMode.STANDARD,
                        1,
                        Workload.Egress.ALLOW_ANY));
    }

    @Test
    void aServiceKeepsItsAddressesAndLeavesNamedPortsToItsPods() {
        var service = compile(CART).services().getFirst();

        assertThat(service.key()).isEqualTo(CART_SERVICE);
        assertThat(service.addresses())
                .containsExactly(
                        new ServiceAddress("", CidrBlock.parse("10.96.0.7")),
                        new ServiceAddress("", CidrBlock.parse("fd00:96::7")));
        assertThat(service.ports())
                .containsExactly(
                        new ServicePort(80, 0, AppProtocol.HTTP11), new ServicePort(81, 8081, AppProtocol.HTTP2));
        assertThat(service.ipFamilies()).isEqualTo(Service.IpFamilies.DUAL);
        assertThat(service.loadBalancing()).isEqualTo(LoadBalancing.ANY);
        assertThat(service.canonical()).isTrue();
    }

    @Test
    void loadBalancingFollowsTheServiceThenItsNamespace() {
        assertThat(balancing("internalTrafficPolicy: Local"))
                .isEqualTo(
                        new LoadBalancing(List.of(LoadBalancing.Scope.NODE), Mode.STRICT, HealthPolicy.ONLY_HEALTHY));
        assertThat(balancing("trafficDistribution: PreferSameNode, publishNotReadyAddresses: true"))
                .isEqualTo(new LoadBalancing(
                        List.of(
                                LoadBalancing.Scope.NETWORK,
                                LoadBalancing.Scope.REGION,
                                LoadBalancing.Scope.ZONE,
                                LoadBalancing.Scope.SUBZONE,
                                LoadBalancing.Scope.NODE),
                        Mode.FAILOVER,
                        HealthPolicy.ALLOW_ALL));
        var near = new LoadBalancing(
                List.of(LoadBalancing.Scope.NETWORK, LoadBalancing.Scope.REGION, LoadBalancing.Scope.ZONE),
                Mode.FAILOVER,
                HealthPolicy.ONLY_HEALTHY);
        assertThat(balancing("trafficDistribution: PreferClose")).isEqualTo(near);
        var inherited = CART.replace(
                "metadata: {name: shop}",
                "metadata: {name: shop, annotations: {networking.istio.io/traffic-distribution: PreferClose}}");
        assertThat(compile(inherited).services().getFirst().loadBalancing()).isEqualTo(near);
    }

    @Test
    void podsThatEndedOrHaveNoNetworkAreNoWorkloads() {
        var state = state(CART);
        var running = state.pods().getFirst();
        var ended = with(running, RunningPod.Phase.SUCCEEDED, running.ips(), true, false);
        var early = with(running, RunningPod.Phase.PENDING, List.of(), false, false);

        for (var pod : List.of(ended, early)) {
            assertThat(MeshCompiler.compile(new ClusterState(state.objects(), List.of(pod)), MeshSettings.DEFAULT)
                            .workloads())
                    .isEmpty();
        }
    }

    @Test
    void podsThatAreNotReadyOrAboutToEndAreUnhealthy() {
        var state = state(CART);
        var running = state.pods().getFirst();
        var starting = with(running, RunningPod.Phase.RUNNING, running.ips(), false, false);
        var ending = with(running, RunningPod.Phase.RUNNING, running.ips(), true, true);

        for (var pod : List.of(starting, ending)) {
            assertThat(MeshCompiler.compile(new ClusterState(state.objects(), List.of(pod)), MeshSettings.DEFAULT)
                            .workloads())
                    .singleElement()
                    .satisfies(workload -> assertThat(workload.status()).isEqualTo(Status.UNHEALTHY));
        }
    }

    @Test
    void onlyCapturedPodsSpeakHboneAndHostNetworkIsNeverFoundByAddress() {
        var state = state(CART.replace("  serviceAccountName: cart\n", "  hostNetwork: true\n"));
        var host = MeshCompiler.compile(state, MeshSettings.DEFAULT).workloads().getFirst();
        var free = new ClusterState(
                state(CART).objects(),
                List.of(new RunningPod(
                        state(CART).pods().getFirst().pod(),
                        "u",
                        "node-1",
                        List.of(InetAddress.ofLiteral("10.244.1.1")),
                        RunningPod.Phase.RUNNING,
                        true,
                        false,
                        false,
                        null)));

        assertThat(host.networkMode()).isEqualTo(NetworkMode.HOST_NETWORK);
        assertThat(host.tunnel()).isEqualTo(TunnelProtocol.NONE);
        assertThat(MeshCompiler.compile(free, MeshSettings.DEFAULT)
                        .workloads()
                        .getFirst()
                        .tunnel())
                .isEqualTo(TunnelProtocol.NONE);
    }

    @Test
    void aPodOfADeploymentBearsItsName() {
        var workload = compile("""
                        apiVersion: apps/v1
                        kind: Deployment
                        metadata: {name: front}
                        spec:
                          selector: {matchLabels: {tier: web}}
                          template:
                            metadata: {labels: {tier: web}}
                            spec: {containers: [{name: web, command: [nginx]}]}
                        """).workloads().getFirst();

        assertThat(workload.name()).isEqualTo("front-1");
        assertThat(workload.workloadName()).isEqualTo("front");
        assertThat(workload.type()).isEqualTo(Workload.Type.DEPLOYMENT);
        assertThat(workload.canonicalName()).isEqualTo("front");
        assertThat(workload.canonicalRevision()).isEqualTo("latest");
    }

    @Test
    void policiesHaveThreeScopes() {
        var mesh = compile(CART
                + policy("shop", "named", "selector: {matchLabels: {app: cart}}, rules: [{}]")
                + policy("shop", "wide", "rules: [{}]")
                + policy("istio-system", "all", "rules: [{}]")
                + policy("istio-system", "everywhere", "selector: {matchLabels: {app: cart}}, rules: [{}]"));

        assertThat(scope(mesh, "shop/named")).isEqualTo(Scope.WORKLOAD_SELECTOR);
        assertThat(scope(mesh, "shop/wide")).isEqualTo(Scope.NAMESPACE);
        assertThat(scope(mesh, "istio-system/all")).isEqualTo(Scope.GLOBAL);
        assertThat(mesh.workloads().getFirst().authorizationPolicies())
                .containsExactly("istio-system/everywhere", "shop/named");
    }

    @Test
    void fromToAndWhenBecomeClauses() {
        var mesh = compile(CART + policy("shop", "p", """
                        rules: [{
                          from: [{source: {principals: ["*"], notNamespaces: [other]}}, {source: {ipBlocks: [10.0.0.0/8]}}],
                          to: [{operation: {ports: ["80"], notPorts: ["81"]}}],
                          when: [{key: source.namespace, values: ["a*"], notValues: ["*b"]}]}]"""));

        var from = new Match(
                List.of(),
                List.of(new StringMatch.Exact("other")),
                List.of(new StringMatch.Presence()),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                Set.of(),
                Set.of());
        assertThat(policy(mesh, "shop/p").rules())
                .containsExactly(new Rule(List.of(
                        new Clause(List.of(
                                from, MatchFields.sourceIps(List.of(CidrBlock.parse("10.0.0.0/8")), List.of()))),
                        new Clause(List.of(MatchFields.ports(Set.of(80), Set.of(81)))),
                        new Clause(List.of(MatchFields.namespaces(
                                List.of(new StringMatch.Prefix("a")), List.of(new StringMatch.Suffix("b"))))))));
        assertThat(mesh.problems()).isEmpty();
    }

    /// Hazard I17: an ALLOW rule that cannot be evaluated does not match, a DENY rule that cannot be evaluated
    /// matches.
    @Test
    void anAllowRuleThatNeedsHttpIsLeftOut() {
        var mesh = compile(CART
                + policy(
                        "shop",
                        "p",
                        "rules: [{to: [{operation: {methods: [GET]}}]}, {from: [{source: {namespaces:"
                                + " [shop]}}]}]"));

        assertThat(policy(mesh, "shop/p").rules())
                .containsExactly(
                        AuthorizationCompiler.ALLOWS_NOTHING, // and the second rule is still the second
                        new Rule(List.of(new Clause(
                                List.of(MatchFields.namespaces(List.of(new StringMatch.Exact("shop")), List.of()))))));
        assertThat(problems(mesh))
                .containsExactly(
                        "mesh.yaml:30: AuthorizationPolicy shop/p: spec.rules[0]: methods (expected: addresses,"
                                + " ports and identities only); node agents cannot see this, so the rule allows nothing");
        System.out.println("hazard I17: ALLOW rule for methods: allows nothing, and the rule beside it what it says");
    }

    @Test
    void anAllowPolicyOfWhichNothingIsLeftStillDeniesByDefault() {
        var mesh = compile(CART + policy("shop", "p", "rules: [{to: [{operation: {paths: [/a]}}]}]"));

        assertThat(policy(mesh, "shop/p").rules()).containsExactly(AuthorizationCompiler.ALLOWS_NOTHING);
        assertThat(policy(mesh, "shop/p").action()).isEqualTo(AuthorizationPolicy.Action.ALLOW);
    }

    @Test
    void aDenyRuleKeepsItsPartBelowHttp() {
        var mesh = compile(CART
                + policy(
                        "shop",
                        "p",
                        "action: DENY, rules: [{from: [{source: {namespaces: [bad]}}], to: [{operation: {methods: [GET],"
                                + " ports: ['80']}}, {operation: {paths: [/a]}}], when: [{key: 'request.headers[x]',"
                                + " values: [y]}]}]"));

        assertThat(policy(mesh, "shop/p").rules())
                .containsExactly(new Rule(List.of(new Clause(
                        List.of(MatchFields.namespaces(List.of(new StringMatch.Exact("bad")), List.of()))))));
        assertThat(problems(mesh))
                .containsExactly("mesh.yaml:30: AuthorizationPolicy shop/p: spec.rules[0]: methods, paths,"
                        + " request.headers[x] (expected: addresses, ports and identities only); node agents cannot see"
                        + " this, so the rule denies everything that its other fields match");
    }

    @Test
    void aDenyRuleOfNothingButHttpDeniesEverything() {
        var mesh = compile(CART + policy("shop", "p", "action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]"));

        assertThat(policy(mesh, "shop/p").rules()).containsExactly(new Rule(List.of()));
        assertThat(problems(mesh))
                .containsExactly(
                        "mesh.yaml:30: AuthorizationPolicy shop/p: spec.rules[0]: methods (expected: addresses,"
                                + " ports and identities only); node agents cannot see this, so the rule denies every connection"
                                + " in its scope");
    }

    @Test
    void policiesOfWaypointsAreNotSent() {
        var mesh = compile(CART
                + policy("shop", "t", "targetRefs: [{group: '', kind: Service, name: cart}], rules: [{}]")
                + policy("shop", "a", "action: AUDIT, rules: [{}]")
                + policy("shop", "c", "action: CUSTOM, provider: {name: x}, rules: [{}]"));

        assertThat(mesh.policies())
                .extracting(AuthorizationPolicy::key)
                .containsExactly("loam-system/istio_converted_static_strict");
        assertThat(problems(mesh))
                .containsExactly(
                        "mesh.yaml:30: AuthorizationPolicy shop/t: spec.targetRefs: Service cart; only a waypoint enforces"
                                + " it, node agents do not",
                        "mesh.yaml:35: AuthorizationPolicy shop/a: spec.action: AUDIT (expected: ALLOW or DENY); node"
                                + " agents do not enforce it",
                        "mesh.yaml:40: AuthorizationPolicy shop/c: spec.action: CUSTOM (expected: ALLOW or DENY); node"
                                + " agents do not enforce it");
    }

    /// `cluster.local` in a mesh of another name matches nobody: an ALLOW refuses everybody, a DENY nobody.
    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            value = {
                "from: [{source: {principals: [cluster.local/ns/a/sa/b]}}] | -",
                "from: [{source: {principals: ['cluster.local/ns/*', 'clu*', '*/sa/b', '*']}}] | -",
                "from: [{source: {principals: [a.org/ns/a/sa/b]}}] | from[0].source.principals: a.org/ns/a/sa/b",
                "from: [{source: {principals: ['cluster.local.org/ns/*']}}]"
                        + " | from[0].source.principals: cluster.local.org/ns/*",
                "from: [{source: {principals: [a.org/ns/a/sa/b, cluster.local/ns/a/sa/b, 'b*']}}]"
                        + " | from[0].source.principals: a.org/ns/a/sa/b, b*",
                "from: [{source: {namespaces: [a]}}, {source: {notPrincipals: ['a.org/*']}}]"
                        + " | from[1].source.notPrincipals: a.org/*",
                "when: [{key: source.principal, values: ['a.org/*']}] | when[0].values: a.org/*",
                "when: [{key: source.namespace, values: ['a']}, {key: source.principal, notValues: ['a.org/*']}]"
                        + " | when[1].notValues: a.org/*",
            })
    void warnsOfPrincipalsOfAnotherTrustDomain(String rule, String warning) {
        var problems = problems(compile(CART + policy("shop", "p", "rules: [{" + rule + "}]")));

        if (warning.equals("-")) {
            assertThat(problems).isEmpty();
        } else {
            assertThat(problems)
                    .containsExactly("mesh.yaml:30: AuthorizationPolicy shop/p: spec.rules[0]." + warning
                            + " (expected: principals of cluster.local, such as"
                            + " cluster.local/ns/NAMESPACE/sa/ACCOUNT); of another trust domain, so it matches no"
                            + " workload of this mesh");
        }
    }

    @Test
    void trustDomainsAreWhatPrincipalsStartWith() {
        var mesh = compile(CART
                + policy("shop", "p", "rules: [{from: [{source: {trustDomains: [td1], notTrustDomains: ['td2*']}}]}]"));

        assertThat(policy(mesh, "shop/p").rules())
                .containsExactly(new Rule(List.of(new Clause(List.of(MatchFields.principals(
                        List.of(new StringMatch.Prefix("td1/")), List.of(new StringMatch.Prefix("td2"))))))));
    }

    @Test
    void strictWorkloadsRefuseCallersWithoutIdentity() {
        var mesh = compile(CART + peerAuthentication("shop", "default", "mtls: {mode: STRICT}"));

        assertThat(policy(mesh, "loam-system/istio_converted_static_strict"))
                .isEqualTo(new AuthorizationPolicy(
                        "istio_converted_static_strict",
                        "loam-system",
                        Scope.WORKLOAD_SELECTOR,
                        AuthorizationPolicy.Action.DENY,
                        List.of(new Rule(List.of(WITHOUT_IDENTITY))),
                        false));
        assertThat(mesh.workloads().getFirst().authorizationPolicies())
                .containsExactly("loam-system/istio_converted_static_strict");
    }

    @Test
    void theNarrowestScopeThatSaysAnythingWins() {
        var strictMesh = peerAuthentication("istio-system", "default", "mtls: {mode: STRICT}");

        assertThat(isStrict(CART)).isFalse();
        assertThat(isStrict(CART + strictMesh)).isTrue();
        assertThat(isStrict(CART + strictMesh + peerAuthentication("shop", "default", "mtls: {mode: PERMISSIVE}")))
                .isFalse();
        assertThat(isStrict(CART + strictMesh + peerAuthentication("shop", "default", "mtls: {mode: UNSET}")))
                .isTrue();
        assertThat(isStrict(CART + strictMesh + peerAuthentication("shop", "default", "mtls: {mode: DISABLE}")))
                .isFalse();
        assertThat(isStrict(CART
                        + strictMesh
                        + peerAuthentication("shop", "default", "mtls: {mode: PERMISSIVE}")
                        + peerAuthentication(
                                "shop", "cart", "selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}")))
                .isTrue();
    }

    @Test
    void theOldestOfOneScopeWins() {
        var mesh = compile(CART
                + peerAuthentication("shop", "young", "mtls: {mode: PERMISSIVE}")
                        .replace("name: young", "name: young, creationTimestamp: '2026-02-01T00:00:00Z'")
                + peerAuthentication("shop", "old", "mtls: {mode: STRICT}")
                        .replace("name: old", "name: old, creationTimestamp: '2026-01-01T00:00:00Z'"));

        assertThat(mesh.workloads().getFirst().authorizationPolicies()).hasSize(1);
        assertThat(problems(mesh))
                .containsExactly("mesh.yaml:29: PeerAuthentication shop/young: metadata.name: young (expected: one"
                        + " PeerAuthentication for the same workloads); PeerAuthentication shop/old at mesh.yaml:32 is"
                        + " older and wins");
    }

    @Test
    void portsMayBeExemptFromStrict() {
        var mesh = compile(CART
                + peerAuthentication(
                        "shop",
                        "cart",
                        "selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}, portLevelMtls: {9080: {mode: DISABLE},"
                                + " 9081: {mode: STRICT}, 9082: {mode: UNSET}}"));

        assertThat(policy(mesh, "shop/converted_peer_authentication_cart").rules())
                .containsExactly(new Rule(
                        List.of(WITHOUT_IDENTITY, new Clause(List.of(MatchFields.ports(Set.of(), Set.of(9080)))))));
        assertThat(mesh.workloads().getFirst().authorizationPolicies())
                .containsExactly("shop/converted_peer_authentication_cart");
    }

    @Test
    void portsMayBeStrictAlone() {
        var mesh = compile(CART
                + peerAuthentication(
                        "shop", "cart", "selector: {matchLabels: {app: cart}}, portLevelMtls: {9080: {mode: STRICT}}"));

        assertThat(policy(mesh, "shop/converted_peer_authentication_cart").rules())
                .containsExactly(new Rule(
                        List.of(WITHOUT_IDENTITY, new Clause(List.of(MatchFields.ports(Set.of(9080), Set.of()))))));
    }

    @Test
    void aSelectorInARootNamespaceIsIgnoredAloud() {
        var mesh = compile(CART
                + peerAuthentication(
                        "istio-system", "cart", "selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}"));

        assertThat(mesh.workloads().getFirst().authorizationPolicies()).isEmpty();
        assertThat(problems(mesh))
                .contains("mesh.yaml:30: PeerAuthentication istio-system/cart: spec.selector: a selector (expected: no"
                        + " selector in a root namespace); ignored as a whole");
    }

    private static boolean isStrict(String yaml) {
        return !compile(yaml).workloads().getFirst().authorizationPolicies().isEmpty();
    }

    private static LoadBalancing balancing(String fields) {
        var yaml = CART.replace(
                "  selector: {app: cart}\n", "  selector: {app: cart}\n  " + fields.replace(", ", "\n  ") + "\n");
        return compile(yaml).services().getFirst().loadBalancing();
    }

    private static String policy(String namespace, String name, String spec) {
        return "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: " + name
                + ", namespace: " + namespace + "}\nspec: {" + spec + "}\n";
    }

    private static String peerAuthentication(String namespace, String name, String spec) {
        return policy(namespace, name, spec).replace("AuthorizationPolicy", "PeerAuthentication");
    }

    private static AuthorizationPolicy policy(CompiledMesh mesh, String key) {
        return mesh.policies().stream()
                .filter(policy -> policy.key().equals(key))
                .findFirst()
                .orElseThrow();
    }

    private static Scope scope(CompiledMesh mesh, String key) {
        return policy(mesh, key).scope();
    }

    /// Without those about namespaces nobody wrote, which are not the subject here.
    private static List<String> problems(CompiledMesh mesh) {
        return mesh.problems().stream()
                .filter(problem -> !problem.field().equals("metadata.namespace"))
                .map(Problem::toString)
                .toList();
    }

    private static CompiledMesh compile(String yaml) {
        return MeshCompiler.compile(state(yaml), MeshSettings.DEFAULT);
    }

    /// All pods of the documents, running, ready and captured on `node-1`.
    private static ClusterState state(String yaml) {
        var read = new ConfigReader().readText(yaml, Path.of("mesh.yaml"));
        assertThat(read.rejected()).as("%s", read.problems()).isEmpty();
        var pods = new ArrayList<RunningPod>();
        for (var object : read.objects()) {
            switch (object) {
                case PodObject pod -> pods.add(running(pod, null, pods.size() + 1));
                case DeploymentObject deployment ->
                    pods.add(running(
                            deployment.pod(deployment.meta().name() + "-1"),
                            new RunningPod.Owner("Deployment", deployment.meta().name()),
                            pods.size() + 1));
                default -> {}
            }
        }
        return new ClusterState(read.objects(), pods);
    }

    private static RunningPod running(
            PodObject pod, RunningPod.@org.jspecify.annotations.Nullable Owner owner, int number) {
        return new RunningPod(
                pod,
                "uid-" + number,
                "node-1",
                List.of(InetAddress.ofLiteral("10.244.1." + number), InetAddress.ofLiteral("fd00:244:1::" + number)),
                RunningPod.Phase.RUNNING,
                true,
                false,
                true,
                owner);
    }

    private static RunningPod with(
            RunningPod pod, RunningPod.Phase phase, List<InetAddress> ips, boolean ready, boolean terminating) {
        return new RunningPod(
                pod.pod(), pod.uid(), pod.node(), ips, phase, ready, terminating, pod.redirected(), pod.owner());
    }
}
