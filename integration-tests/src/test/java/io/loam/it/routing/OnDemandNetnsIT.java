package io.loam.it.routing;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.it.bench.MeshBench;
import io.loam.lab.command.Command;
import io.loam.protocol.linux.Netns;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Agents that ask for addresses one by one (`XDS_ON_DEMAND`; wire reference, 4.2) instead of knowing the
/// whole mesh.
final class OnDemandNetnsIT {
    private static final int REDIS = 6379;
    private static final InetAddress OUTSIDE = InetAddress.ofLiteral("203.0.113.1");
    private static final InetAddress CACHE = InetAddress.ofLiteral("10.96.7.7");
    private static final String AMBIENT = "loam.io/dataplane-mode: ambient";

    private static MeshBench bench;

    @BeforeAll
    static void start() throws Exception {
        bench = MeshBench.start(
                "itdemand",
                Map.of(
                        "mesh.yaml",
                        namespace("shop", AMBIENT)
                                + caller("shop", "alice", "one")
                                + redis("shop", "lone", "two")
                                + redis("shop", "late", "two")
                                + caller("shop", "idle", "two")
                                + """
                                ---
                                apiVersion: v1
                                kind: Service
                                metadata: {name: cache, namespace: shop}
                                spec: {clusterIP: 10.96.7.7, selector: {part: cache}, ports: [{port: 6379}]}
                                ---
                                apiVersion: v1
                                kind: Namespace
                                metadata:
                                  name: closed
                                  labels: {loam.io/dataplane-mode: ambient}
                                  annotations: {loam.io/outbound-traffic-policy: REGISTRY_ONLY}
                                """
                                + caller("closed", "bob", "one"),
                        "cache-0.yaml",
                        cache(0)),
                Map.of("XDS_ON_DEMAND", "true", "ISTIO_META_DNS_CAPTURE", "false"));
        bench.awaitMesh(true, "shop/alice", "shop/lone", "shop/late", "shop/cache-0", "closed/bob");
    }

    @AfterAll
    static void stop() throws IOException {
        if (bench != null) {
            bench.close();
        }
    }

    @Test
    void whatIsConnectedToIsAskedForAndNothingElse() throws Exception {
        var two = bench.accessLog("two");

        assertThat(isAlive("shop/alice", CACHE)).isTrue();
        assertThat(isAlive("shop/alice", bench.ipv4("shop/lone"))).isTrue();
        assertThat(isAlive("shop/alice", bench.ipv6("shop/lone"))).isTrue();

        var tunnelled = two.await(line -> line.getOrDefault("dst.addr", "")
                .startsWith(bench.ipv4("shop/lone").getHostAddress() + ":"));
        assertThat(tunnelled).containsEntry("src.identity", "spiffe://cluster.local/ns/shop/sa/alice");
        var known = bench.configDump("one");
        assertThat(names(known))
                .contains("alice", "bob", "lone")
                .anyMatch(name -> name.startsWith("cache-"))
                .doesNotContain("idle");
        assertThat(known.at("/onDemand")
                        .get("/" + bench.ipv4("shop/lone").getHostAddress())
                        .get("answer")
                        .asText())
                .isEqualTo("Present");
    }

    @Test
    void whatNobodyHasIsDecidedAboutAsEver() throws Exception {
        try (var server = outsideServer()) {
            int port = server.getLocalPort();
            var log = bench.accessLog("one");
            try (var open = bench.connect("shop/alice", OUTSIDE, port)) {
                assertThat(open.ask("PING alive")).isEqualTo("outside");
            }
            assertThat(isAlive("closed/bob", OUTSIDE, port)).isFalse();
            log.await(line -> "NOT_IN_REGISTRY".equals(line.get("code")));
            assertThat(isAlive("closed/bob", CACHE)).isTrue();
            assertThat(bench.configDump("one")
                            .at("/onDemand")
                            .get("/203.0.113.1")
                            .get("answer")
                            .asText())
                    .isEqualTo("Absent");
        }
    }

    @Test
    void anEndpointThatChangesCounts() throws Exception {
        assertThat(isAlive("shop/alice", CACHE)).isTrue();

        bench.write("cache-1.yaml", cache(1));
        await("the new one", () -> names(bench.configDump("one")).contains("cache-1"));
        bench.awaitMesh(true, "shop/cache-1");
        bench.delete("cache-0.yaml");
        await("the end of the old one", () -> !names(bench.configDump("one")).contains("cache-0"));

        await("the new one to serve", () -> isAlive("shop/alice", CACHE));
    }

    /// Whom the address belongs to is not known: plaintext could go around the mesh. What was heard of goes on.
    @Test
    void whatTheControlPlaneDoesNotAnswerIsRefusedWithTheReason() throws Exception {
        assertThat(isAlive("shop/alice", CACHE)).isTrue();
        var late = bench.ipv4("shop/late");
        var log = bench.accessLog("one");
        try {
            inFabric("add table inet outage; add chain inet outage input { type filter hook input priority 0; };"
                    + " add rule inet outage input tcp dport 15012 drop");

            assertThat(isAlive("shop/alice", late)).isFalse();
            var refused = log.await(line -> "UNKNOWN_DESTINATION".equals(line.get("code")));
            assertThat(refused).containsEntry("dst.addr", late.getHostAddress() + ":" + REDIS);
            assertThat(refused.get("error"))
                    .startsWith("the control plane has not said within 5000 ms what /" + late.getHostAddress() + " is");
            assertThat(bench.metrics("one"))
                    .containsPattern("(?m)^loam_xds_demand_refused_total\\{reason=\"not_heard\"} [1-9]");
            assertThat(isAlive("shop/alice", CACHE)).isTrue();
        } finally {
            inFabric("add table inet outage; delete table inet outage");
        }
        await("an answer", () -> isAlive("shop/alice", late));
    }

    private static Set<String> names(JsonNode dump) {
        var names = new TreeSet<String>();
        dump.at("/workloads").forEach(workload -> names.add(workload.get("name").asText()));
        return names;
    }

    private static boolean isAlive(String from, InetAddress to) {
        return isAlive(from, to, REDIS);
    }

    private static boolean isAlive(String from, InetAddress to, int port) {
        try (var connection = bench.connect(from, to, port)) {
            return connection.ask("PING alive").equals("alive");
        } catch (IOException _) {
            return false;
        }
    }

    private static String cache(int number) {
        return redis("shop", "cache-" + number, "two")
                .replace("labels: {app: cache-" + number + "}", "labels: {app: cache-" + number + ", part: cache}");
    }

    /// Beyond the mesh: answers every line with `outside`.
    private static ServerSocket outsideServer() throws IOException {
        ServerSocket server;
        try (var fabric = Netns.open(bench.lab().fabricNetns())) {
            server = fabric.call(() -> {
                var socket = new ServerSocket();
                socket.bind(new InetSocketAddress(OUTSIDE, 0));
                return socket;
            });
        }
        Thread.ofPlatform().daemon().name("outside").start(() -> {
            while (!server.isClosed()) {
                try (var connection = server.accept()) {
                    connection.setSoTimeout(5_000);
                    if (connection.getInputStream().read() >= 0) {
                        connection.getOutputStream().write("outside\r\n".getBytes(StandardCharsets.UTF_8));
                    }
                } catch (IOException _) {
                    // closed; the test looks at the callers
                }
            }
        });
        return server;
    }

    private static void inFabric(String rules) throws IOException {
        Command.run(List.of("nsenter", "--net=" + bench.lab().fabricNetns(), "nft", rules));
    }
}
