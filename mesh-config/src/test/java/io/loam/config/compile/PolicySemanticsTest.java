package io.loam.config.compile;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.ConfigReader;
import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.RunningPod;
import io.loam.config.object.PodObject;
import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.DryRunFinding;
import io.loam.model.policy.Verdict;
import io.loam.model.workload.Workload;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// From the document a user wrote to the answer of an agent: who may connect.
final class PolicySemanticsTest {
    /// The documents this was asked for in, as they are: accepted, and doing at L4 what they can. What needs
    /// HTTP allows nobody until a waypoint enforces it (hazard I17).
    ///
    /// Callers are `namespace/account` or `-` for plaintext; the destination is `namespace/app:port`.
    @ParameterizedTest(name = "{0}: {1} to {2}: {3}")
    @CsvSource({
        "s1-07, -, production/backend:80, DENIED",
        "s1-07, other/client, production/backend:80, allowed",
        "s1-07, -, default/backend:80, allowed",
        "s1-08, production/frontend, production/backend:80, NOT_MATCHED", // GET and POST of /api/* cannot be seen
        "s1-08, other/client, production/backend:80, NOT_MATCHED",
        "s1-08, other/client, production/frontend:80, allowed",
        "s2-05, default/service-a, default/backend:80, allowed",
        "s2-05, default/service-b, default/backend:80, NOT_MATCHED",
        "s2-05, -, default/backend:80, NOT_MATCHED",
        "s2-05, other/client, production/backend:80, allowed",
        "s2-10, -, default/backend:80, DENIED",
        "s2-10, -, production/backend:80, allowed",
        "s4-08, -, production/backend:80, DENIED",
        "s4-09, default/api-gateway, default/frontend:80, NOT_MATCHED", // methods
        "s4-09, default/api-gateway, default/backend:80, allowed",
        "s5-05, -, other/backend:80, DENIED", // the mesh
        "s5-05, -, production/backend:80, DENIED",
        "s5-05, other/client, production/backend:80, allowed",
        "s5-05, -, default/productpage:9080, allowed", // DISABLE on one port
        "s5-05, -, default/productpage:9081, DENIED",
        "s5-05, other/client, default/productpage:9080, allowed",
        "s5-06, default/frontend, default/backend:80, allowed", // two rules: the first is enough
        "s5-06, default/other, default/backend:80, NOT_MATCHED",
        "s5-06, default/frontend, default/frontend:80, NOT_MATCHED", // deny-all
        "s5-06, default/frontend, default/api-server:80, NOT_MATCHED", // needs a token
        "s5-06, default/frontend, production/backend:80, allowed",
    })
    void takesTheUsersDocumentsAsTheyAre(String document, String caller, String destination, String expected)
            throws IOException {
        assertThat(verdict(resource(document), caller, destination)).isEqualTo(expected);
    }

    /// Policy semantics, black-box cases 168 to 177 as far as they are below HTTP, and hazard I17.
    @ParameterizedTest(name = "{0}: {1}: {2}")
    @CsvSource(
            delimiter = '|',
            value = {
                "{}                                                                        | shop/a   | NOT_MATCHED",
                "rules: [{}]                                                               | -        | allowed",
                "action: DENY, rules: [{}]                                                 | shop/a   | DENIED",
                "rules: [{from: [{source: {principals: ['*']}}]}]                          | -        | NOT_MATCHED",
                "rules: [{from: [{source: {principals: ['*']}}]}]                          | shop/a   | allowed",
                "rules: [{from: [{source: {notPrincipals: ['*']}}]}]                       | -        | allowed",
                "rules: [{from: [{source: {notPrincipals: ['*']}}]}]                       | shop/a   | NOT_MATCHED",
                "rules: [{from: [{source: {namespaces: ['prod-*']}}]}]                     | prod-a/a | allowed",
                "rules: [{from: [{source: {namespaces: ['prod-*']}}]}]                     | prod/a   | NOT_MATCHED",
                "rules: [{from: [{source: {namespaces: ['*']}}]}]                          | -        | NOT_MATCHED",
                "rules: [{from: [{source: {notNamespaces: [shop]}}]}]                      | -        | allowed",
                "rules: [{from: [{source: {serviceAccounts: [a]}}]}]                       | shop/a   | NOT_MATCHED",
                "rules: [{from: [{source: {serviceAccounts: [a]}}]}]                       | default/a| allowed",
                "rules: [{from: [{source: {serviceAccounts: [shop/a]}}]}]                  | shop/a   | allowed",
                "rules: [{from: [{source: {notServiceAccounts: [shop/a]}}]}]               | shop/a   | NOT_MATCHED",
                "rules: [{from: [{source: {ipBlocks: [10.0.0.0/24]}}]}]                    | -        | allowed",
                "rules: [{from: [{source: {ipBlocks: [10.0.0.0/31]}}]}]                    | -        | NOT_MATCHED",
                "rules: [{from: [{source: {notIpBlocks: [10.0.0.9]}}]}]                    | -        | NOT_MATCHED",
                "rules: [{to: [{operation: {ports: ['80']}}]}]                             | -        | allowed",
                "rules: [{to: [{operation: {notPorts: ['80']}}]}]                          | -        | NOT_MATCHED",
                "rules: [{from: [{source: {trustDomains: [cluster.local]}}]}]              | shop/a   | allowed",
                "rules: [{from: [{source: {trustDomains: [cluster]}}]}]                    | shop/a   | NOT_MATCHED",
                "rules: [{from: [{source: {trustDomains: ['cluster*']}}]}]                 | shop/a   | allowed",
                "rules: [{from: [{source: {trustDomains: ['*']}}]}]                        | -        | NOT_MATCHED",
                "rules: [{from: [{source: {notTrustDomains: [cluster.local]}}]}]           | shop/a   | NOT_MATCHED",
                "rules: [{from: [{source: {notTrustDomains: [cluster.local]}}]}]           | -        | allowed",
                "rules: [{from: [{source: {trustDomains: [td], principals: ['cluster.local/ns/shop/sa/a']}}]}]       | shop/a | NOT_MATCHED",
                "rules: [{from: [{source: {trustDomains: ['*.local'], principals: ['cluster.local/ns/shop/sa/a']}}]}] | shop/a | allowed",
                "rules: [{from: [{source: {trustDomains: [td], principals: ['cluster.local/ns/*']}}]}]               | shop/a | NOT_MATCHED",
                "rules: [{from: [{source: {trustDomains: [td], principals: ['*/sa/a']}}]}]                           | shop/a | NOT_MATCHED",
                "rules: [{from: [{source: {trustDomains: [cluster.local], principals: ['*/sa/a']}}]}]                | shop/a | allowed",
                "rules: [{from: [{source: {trustDomains: [cluster.local], principals: ['*/sa/a']}}]}]                | shop/b | NOT_MATCHED",
                "rules: [{from: [{source: {notTrustDomains: ['*.local'], principals: ['cluster.local/ns/shop/sa/a']}}]}] | shop/a | NOT_MATCHED",
                "rules: [{from: [{source: {notTrustDomains: ['*.org'], principals: ['cluster.local/ns/shop/sa/a']}}]}]   | shop/a | allowed",
                // cannot be evaluated here: an ALLOW rule does not match, a DENY rule does
                "rules: [{from: [{source: {trustDomains: ['*.local']}}]}]                  | shop/a   | NOT_MATCHED",
                "action: DENY, rules: [{from: [{source: {trustDomains: ['*.org']}}]}]      | shop/a   | DENIED",
                "rules: [{from: [{source: {notTrustDomains: ['*.org']}}]}]                 | shop/a   | NOT_MATCHED",
                "rules: [{from: [{source: {requestPrincipals: ['*']}}]}]                   | shop/a   | NOT_MATCHED",
                "rules: [{from: [{source: {notRequestPrincipals: ['*']}}]}]                | shop/a   | NOT_MATCHED",
                "action: DENY, rules: [{from: [{source: {notRequestPrincipals: ['*']}}]}]  | shop/a   | DENIED",
                "rules: [{from: [{source: {remoteIpBlocks: [10.0.0.9]}}]}]                 | shop/a   | NOT_MATCHED",
                "action: DENY, rules: [{from: [{source: {remoteIpBlocks: [1.1.1.1]}}]}]    | shop/a   | DENIED",
                "rules: [{to: [{operation: {methods: [GET]}}]}]                            | shop/a   | NOT_MATCHED",
                "rules: [{to: [{operation: {notPaths: [/admin]}}]}]                        | shop/a   | NOT_MATCHED",
                "rules: [{to: [{operation: {hosts: [a.b]}}]}]                              | shop/a   | NOT_MATCHED",
                "action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]             | shop/a   | DENIED",
                "action: DENY, rules: [{to: [{operation: {paths: [/admin], ports: ['81']}}]}] | shop/a | allowed",
                "action: DENY, rules: [{to: [{operation: {paths: [/admin], ports: ['80']}}]}] | shop/a | DENIED",
                "action: DENY, rules: [{from: [{source: {namespaces: [bank]}}], to: [{operation: {paths: [/a]}}]}] | shop/a | allowed",
                "action: DENY, rules: [{to: [{operation: {ports: ['81']}}, {operation: {methods: [GET]}}]}] | shop/a | DENIED",
                "rules: [{when: [{key: 'request.headers[a]', values: [b]}]}]               | shop/a   | NOT_MATCHED",
                "rules: [{when: [{key: connection.sni, notValues: [b]}]}]                  | shop/a   | NOT_MATCHED",
                "action: DENY, rules: [{when: [{key: 'request.auth.claims[a]', values: [b]}]}] | shop/a | DENIED",
                "action: DENY, rules: [{when: [{key: remote.ip, values: [1.1.1.1]}, {key: source.namespace, values: [bank]}]}] | shop/a | allowed",
                // conditions that can be
                "rules: [{when: [{key: source.ip, values: [10.0.0.9]}]}]                   | -        | allowed",
                "rules: [{when: [{key: source.ip, notValues: [10.0.0.0/8]}]}]              | -        | NOT_MATCHED",
                "rules: [{when: [{key: source.namespace, values: [shop], notValues: ['s*']}]}] | shop/a | NOT_MATCHED",
                "rules: [{when: [{key: source.principal, values: ['*/sa/a']}]}]            | shop/a   | allowed",
                "rules: [{when: [{key: source.principal, notValues: ['*']}]}]              | -        | allowed",
                "rules: [{when: [{key: source.serviceAccount, values: [shop/a]}]}]         | shop/a   | allowed",
                "rules: [{when: [{key: source.serviceAccount, values: [a]}]}]              | shop/a   | NOT_MATCHED",
                "rules: [{when: [{key: source.trustDomain, values: [cluster.local]}]}]     | shop/a   | allowed",
                "rules: [{when: [{key: source.trustDomain, notValues: [cluster.local]}]}]  | shop/a   | NOT_MATCHED",
                "rules: [{when: [{key: source.trustDomain, values: ['*.local']}]}]         | shop/a   | NOT_MATCHED",
                "action: DENY, rules: [{when: [{key: source.trustDomain, values: ['*.org']}]}] | shop/a | DENIED",
                "rules: [{when: [{key: destination.ip, values: [10.1.0.0/16]}]}]           | -        | allowed",
                "rules: [{when: [{key: destination.ip, notValues: [10.1.0.0/16]}]}]        | -        | NOT_MATCHED",
                "rules: [{when: [{key: destination.port, values: ['80']}]}]                | -        | allowed",
                "rules: [{when: [{key: destination.port, notValues: ['80']}]}]             | -        | NOT_MATCHED",
                "rules: [{from: [{source: {namespaces: [bank]}}]}, {to: [{operation: {ports: ['80']}}]}] | shop/a | allowed",
                "rules: [{from: [{source: {namespaces: [bank]}}], to: [{operation: {ports: ['80']}}]}]   | shop/a | NOT_MATCHED",
            })
    void decidesByEveryField(String spec, String caller, String expected) {
        var inner = spec.equals("{}") ? "" : spec;
        assertThat(verdict(policy("default", inner), caller, "default/backend:80"))
                .as(spec)
                .isEqualTo(expected);
    }

    /// Mesh, namespace, workload, port: the narrowest that says anything; UNSET inherits; DISABLE takes both,
    /// since a workload of the mesh always takes mutual TLS (wire reference, 7.4). A letter per scope: S, P, D,
    /// U, or nothing.
    @ParameterizedTest(name = "mesh {0}, namespace {1}, workload {2}, port {3}: plaintext {4}, on another port {5}")
    @CsvSource({
        "-, -, -, -, true, true",
        "S, -, -, -, false, false",
        "P, -, -, -, true, true",
        "D, -, -, -, true, true",
        "U, -, -, -, true, true",
        "S, P, -, -, true, true",
        "S, D, -, -, true, true",
        "S, U, -, -, false, false",
        "P, S, -, -, false, false",
        "-, S, P, -, true, true",
        "-, S, D, -, true, true",
        "-, S, U, -, false, false",
        "S, U, U, -, false, false",
        "S, P, U, -, true, true",
        "-, P, S, -, false, false",
        "-, -, S, P, true, false",
        "-, -, S, D, true, false",
        "-, -, S, U, false, false",
        "-, -, S, S, false, false",
        "-, -, P, S, false, true",
        "-, -, D, S, false, true",
        "-, -, P, D, true, true",
        "S, -, U, D, true, false",
        "S, -, U, P, true, false",
        "-, S, U, U, false, false",
        "-, S, U, D, true, false",
        "S, P, U, S, false, true",
        "-, -, U, S, false, true",
    })
    void takesPlaintextAsTheNarrowestScopeSays(
            String mesh, String namespace, String workload, String port, boolean plaintext, boolean elsewhere) {
        var yaml = peerAuthentication("mesh", "loam-system", mesh, "-", false)
                + peerAuthentication("ns", "default", namespace, "-", false)
                + peerAuthentication("own", "default", workload, port, true);

        assertThat(verdict(yaml, "-", "default/backend:80")).isEqualTo(plaintext ? "allowed" : "DENIED");
        assertThat(verdict(yaml, "-", "default/backend:81")).isEqualTo(elsewhere ? "allowed" : "DENIED");
        assertThat(verdict(yaml, "shop/a", "default/backend:80")).isEqualTo("allowed");
        assertThat(verdict(yaml, "shop/a", "default/backend:81")).isEqualTo("allowed");
    }

    @Test
    void onlySaysWhatADryRunPolicyWouldDo() {
        var yaml = policy("default", "action: DENY, rules: [{}, {from: [{source: {namespaces: [shop]}}]}]")
                .replace("name: p", "name: p, annotations: {istio.io/dry-run: 'true'}");

        assertThat(verdict(yaml, "shop/a", "default/backend:80")).isEqualTo("allowed");
        var mesh = snapshot(yaml);
        assertThat(Authorizer.dryRun(
                        mesh.policiesFor(mesh.workloads().iterator().next()), connection("shop/a", 80)))
                .isEmpty(); // that one is in another namespace
        assertThat(Authorizer.dryRun(mesh.policiesFor(workload(mesh, "default", "backend")), connection("shop/a", 80)))
                .containsExactly(new DryRunFinding.WouldDeny("default/p", 0));
    }

    @Test
    void appliesAPolicyOfTheRootNamespaceEverywhereAndBySelectorEverywhere() {
        var everywhere = policy("istio-system", "action: DENY, rules: [{}]");
        var backends = policy("istio-system", "action: DENY, selector: {matchLabels: {app: backend}}, rules: [{}]");

        assertThat(verdict(everywhere, "shop/a", "default/frontend:80")).isEqualTo("DENIED");
        assertThat(verdict(everywhere, "shop/a", "production/backend:80")).isEqualTo("DENIED");
        assertThat(verdict(backends, "shop/a", "default/frontend:80")).isEqualTo("allowed");
        assertThat(verdict(backends, "shop/a", "production/backend:80")).isEqualTo("DENIED");
    }

    private static String policy(String namespace, String spec) {
        return """
                ---
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: p, namespace: %s}
                spec: {%s}
                """.formatted(namespace, spec);
    }

    private static String peerAuthentication(String name, String namespace, String mode, String port, boolean selects) {
        if (mode.equals("-")) {
            return "";
        }
        return """
                ---
                apiVersion: security.istio.io/v1
                kind: PeerAuthentication
                metadata: {name: %s, namespace: %s}
                spec: {%s mtls: {mode: %s}%s}
                """.formatted(
                        name,
                        namespace,
                        selects ? "selector: {matchLabels: {app: backend}}," : "",
                        mode(mode),
                        port.equals("-") ? "" : ", portLevelMtls: {80: {mode: " + mode(port) + "}}");
    }

    private static String mode(String letter) {
        return switch (letter) {
            case "S" -> "STRICT";
            case "P" -> "PERMISSIVE";
            case "D" -> "DISABLE";
            default -> "UNSET";
        };
    }

    private static String resource(String name) throws IOException {
        try (var stream =
                PolicySemanticsTest.class.getResourceAsStream("/io/loam/config/documents/" + name + ".yaml")) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static String verdict(String yaml, String caller, String destination) {
        var mesh = snapshot(yaml);
        var parts = destination.split("[/:]", -1);
        var workload = workload(mesh, parts[0], parts[1]);
        var verdict = Authorizer.decide(mesh.policiesFor(workload), connection(caller, Integer.parseInt(parts[2])));
        return switch (verdict) {
            case Verdict.Allowed _ -> "allowed";
            case Verdict.Denied _ -> "DENIED";
            case Verdict.NotMatched _ -> "NOT_MATCHED";
            case Verdict.Undecided _ -> "UNDECIDED";
        };
    }

    private static Workload workload(MeshSnapshot mesh, String namespace, String name) {
        return Objects.requireNonNull(mesh.localWorkload(name, namespace, "default"));
    }

    private static ConnectionAttributes connection(String caller, int port) {
        var names = caller.split("/", -1);
        @Nullable SpiffeId peer = caller.equals("-") ? null : new SpiffeId("cluster.local", names[0], names[1]);
        return new ConnectionAttributes(
                peer, InetAddress.ofLiteral("10.0.0.9"), InetAddress.ofLiteral("10.1.0.1"), port);
    }

    /// The documents and a pod of each app in each namespace.
    private static MeshSnapshot snapshot(String yaml) {
        var read = new ConfigReader().readText(yaml, Path.of("mesh.yaml"));
        assertThat(read.problems())
                .filteredOn(problem -> problem.severity() == Severity.ERROR)
                .extracting(Problem::toString)
                .isEmpty();
        var pods = new ArrayList<RunningPod>();
        for (var namespace : List.of("default", "production", "other")) {
            for (var app : List.of("backend", "frontend", "productpage", "api-server")) {
                pods.add(pod(namespace, app, pods.size() + 1));
            }
        }
        var compiled = MeshCompiler.compile(new ClusterState(read.objects(), pods), MeshSettings.DEFAULT);
        return MeshSnapshot.EMPTY.apply(MeshDelta.of(compiled.workloads(), compiled.services(), compiled.policies()));
    }

    private static RunningPod pod(String namespace, String app, int number) {
        var read = new ConfigReader().readText("""
                        apiVersion: v1
                        kind: Pod
                        metadata: {name: %s, namespace: %s, labels: {app: %s}}
                        spec: {containers: [{name: main, command: [x]}]}
                        """.formatted(app, namespace, app), Path.of("pods.yaml"));
        return new RunningPod(
                (PodObject) read.objects().getFirst(),
                "uid-" + number,
                "node-1",
                List.of(InetAddress.ofLiteral("10.1.0." + number)),
                RunningPod.Phase.RUNNING,
                true,
                false,
                true,
                null);
    }
}
