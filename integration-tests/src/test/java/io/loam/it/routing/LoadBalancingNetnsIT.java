package io.loam.it.routing;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.MeshBench;
import java.io.IOException;
import java.net.InetAddress;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Which of a service's endpoints gets a connection (wire reference, 3.4): one on the caller's node and one on the
/// other, each of which knows its own name.
final class LoadBalancingNetnsIT {
    private static final int REDIS = 6379;
    private static final String AMBIENT = "loam.io/dataplane-mode: ambient";

    /// All endpoints alike: the chance that one gets none of these is 2 to the power of -39.
    private static final int ASKED = 40;

    private static final InetAddress SPREAD = InetAddress.ofLiteral("10.96.8.1");
    private static final InetAddress NEAR = InetAddress.ofLiteral("10.96.8.2");
    private static final InetAddress HERE = InetAddress.ofLiteral("10.96.8.3");
    private static final InetAddress EAGER = InetAddress.ofLiteral("10.96.8.4");
    private static final InetAddress PATIENT = InetAddress.ofLiteral("10.96.8.5");

    private static MeshBench bench;

    @BeforeAll
    static void start() throws Exception {
        bench = MeshBench.start(
                "itbalance",
                Map.of(
                        "nodes.yaml",
                        """
                        apiVersion: v1
                        kind: Node
                        metadata: {name: one, labels: {topology.kubernetes.io/zone: east}}
                        ---
                        apiVersion: v1
                        kind: Node
                        metadata: {name: two, labels: {topology.kubernetes.io/zone: west}}
                        """,
                        "mesh.yaml",
                        namespace("shop", AMBIENT)
                                + caller("shop", "alice", "one")
                                + service("spread", SPREAD, "kv", "")
                                + service("near", NEAR, "kv", ", trafficDistribution: PreferClose")
                                + service("here", HERE, "kv", ", internalTrafficPolicy: Local")
                                + service("eager", EAGER, "slow", ", publishNotReadyAddresses: true")
                                + service("patient", PATIENT, "slow", ""),
                        "kv-one.yaml",
                        store("kv-one", "one", "kv", REDIS),
                        "kv-two.yaml",
                        store("kv-two", "two", "kv", REDIS)));
        bench.awaitMesh(true, "shop/alice", "shop/kv-one", "shop/kv-two");
        tellItsName("kv-one");
        tellItsName("kv-two");
    }

    @AfterAll
    static void stop() throws IOException {
        if (bench != null) {
            bench.close();
        }
    }

    @Test
    void preferencesAreKeptWhileTheyCanBe() throws Exception {
        assertThat(answering(SPREAD)).containsExactly("kv-one", "kv-two");
        assertThat(answering(NEAR)).containsExactly("kv-one");
        assertThat(answering(HERE)).containsExactly("kv-one");

        var log = bench.accessLog("one");
        bench.delete("kv-one.yaml");
        await(
                "a zone without an endpoint goes to the next",
                () -> answering(NEAR).equals(Set.of("kv-two")));
        assertThat(whoAnswers(HERE)).as("never to another node").isEqualTo("nobody");
        log.await(line -> "NO_HEALTHY_UPSTREAM".equals(line.get("code")));
        assertThat(answering(SPREAD)).containsExactly("kv-two");

        bench.write("kv-one.yaml", store("kv-one", "one", "kv", REDIS));
        await(
                "its return",
                () -> bench.lab().pods().stream().anyMatch(pod -> pod.name().equals("kv-one") && pod.ready()));
        bench.awaitMesh(true, "shop/kv-one");
        tellItsName("kv-one");
        await("the preferred one again", () -> answering(NEAR).equals(Set.of("kv-one")));
        assertThat(answering(HERE)).containsExactly("kv-one");
    }

    /// A probe that asks where nobody listens never succeeds.
    @Test
    void endpointsThatAreNotReadyGetConnectionsOnlyWhereTheServiceWantsIt() throws Exception {
        var log = bench.accessLog("one");
        bench.write("slow.yaml", store("slow", "two", "slow", 1));
        await("the one that is not ready", () -> isServed(EAGER));
        assertThat(isServed(PATIENT)).isFalse();
        log.await(line -> "NO_HEALTHY_UPSTREAM".equals(line.get("code"))
                && line.getOrDefault("dst.addr", "").startsWith(PATIENT.getHostAddress()));
    }

    private static Set<String> answering(InetAddress service) {
        var names = new TreeSet<String>();
        for (int i = 0; i < ASKED; i++) {
            names.add(whoAnswers(service));
        }
        return names;
    }

    private static String whoAnswers(InetAddress service) {
        try (var connection = bench.connect("shop/alice", service, REDIS)) {
            return connection.ask("GET name");
        } catch (IOException _) {
            return "nobody";
        }
    }

    private static boolean isServed(InetAddress service) {
        try (var connection = bench.connect("shop/alice", service, REDIS)) {
            return connection.ask("PING alive").equals("alive");
        } catch (IOException _) {
            return false;
        }
    }

    private static void tellItsName(String pod) throws Exception {
        await("the store in " + pod, () -> {
            try (var connection = bench.connect("shop/alice", bench.ipv4("shop/" + pod), REDIS)) {
                return connection.ask("SET name " + pod).equals("+OK");
            }
        });
    }

    private static String service(String name, InetAddress address, String part, String more) {
        return """
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: %s, namespace: shop}
                spec: {clusterIP: %s, selector: {part: %s}, ports: [{port: %d}]%s}
                """.formatted(name, address.getHostAddress(), part, REDIS, more);
    }

    private static String store(String name, String node, String part, int probed) {
        return """
                ---
                apiVersion: v1
                kind: Pod
                metadata: {name: %s, namespace: shop, labels: {part: %s}}
                spec:
                  nodeName: %s
                  containers:
                    - name: main
                      command: [redis-server, --port, '6379', --bind, 0.0.0.0, '::', --protected-mode, 'no', --save, '']
                      readinessProbe: {tcpSocket: {port: %d}, periodSeconds: 1}
                """.formatted(name, part, node, probed);
    }
}
