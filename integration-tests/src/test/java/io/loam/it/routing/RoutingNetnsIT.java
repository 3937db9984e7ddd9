package io.loam.it.routing;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.it.bench.Load;
import io.loam.it.bench.MeshBench;
import io.loam.it.bench.PodConnection;
import io.loam.it.lab.HazardFigures;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.linux.Netns;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Where connections go, from the documents of users to the sockets: egress that is closed, endpoints that
/// come and go under load, and waypoints.
final class RoutingNetnsIT {
    private static final int REDIS = 6379;

    /// `-Dloam.it.churns` for more; each takes five seconds.
    private static final int CHURNS = Integer.getInteger("loam.it.churns", 2);

    private static final InetAddress OUTSIDE = InetAddress.ofLiteral("203.0.113.1");
    private static final InetAddress CACHE = InetAddress.ofLiteral("10.96.7.7");
    private static final InetAddress GUARDED = InetAddress.ofLiteral("10.96.7.8");
    private static final String AMBIENT = "loam.io/dataplane-mode: ambient";

    private static MeshBench bench;

    @BeforeAll
    static void start() throws Exception {
        bench = MeshBench.start(
                "itroute",
                Map.of(
                        "mesh.yaml",
                        namespace("shop", AMBIENT)
                                + namespace("plain", "")
                                + caller("shop", "alice", "one")
                                + caller("plain", "stranger", "one")
                                + redis("shop", "guarded", "two")
                                + """
                                ---
                                apiVersion: v1
                                kind: Service
                                metadata: {name: guarded, namespace: shop, labels: {istio.io/use-waypoint: w}}
                                spec: {clusterIP: 10.96.7.8, selector: {app: guarded}, ports: [{port: 6379}]}
                                ---
                                apiVersion: v1
                                kind: Service
                                metadata: {name: cache, namespace: shop}
                                spec: {clusterIP: 10.96.7.7, selector: {part: cache}, ports: [{port: 6379}]}
                                """,
                        "closed.yaml",
                        closed(""),
                        "cache-0.yaml",
                        cache(0)));
        bench.awaitMesh(true, "shop/alice", "shop/guarded", "shop/cache-0", "closed/bob");
    }

    @AfterAll
    static void stop() throws IOException {
        if (bench != null) {
            bench.close();
        }
    }

    /// REGISTRY_ONLY by address: refused, until a ServiceEntry makes the destination known; or not captured
    /// at all. What it let out ends with it.
    @Test
    void closedEgressLetsOutToWhatTheMeshKnows() throws Exception {
        try (var server = outsideServer()) {
            int port = server.getLocalPort();
            var log = bench.accessLog("one");
            try (var open = bench.connect("shop/alice", OUTSIDE, port)) {
                assertThat(open.ask("PING alive")).isEqualTo("outside");
            }
            assertThat(canReachOutside("closed/bob", port)).isFalse();
            var refused = log.await(line -> "NOT_IN_REGISTRY".equals(line.get("code")));
            assertThat(refused).containsEntry("dst.addr", "203.0.113.1:" + port);
            try (var known = bench.connect("closed/bob", CACHE, REDIS)) {
                assertThat(known.isAlive()).isTrue();
            }

            bench.write("partner.yaml", """
                    apiVersion: networking.istio.io/v1
                    kind: ServiceEntry
                    metadata: {name: partner, namespace: shop}
                    spec:
                      hosts: [partner.example.com]
                      addresses: [203.0.113.0/24]
                      resolution: NONE
                      ports: [{number: %d, name: tcp, protocol: TCP}]
                    """.formatted(port));
            await("the entry opens the way", () -> canReachOutside("closed/bob", port));
            try (var open = bench.connect("closed/bob", OUTSIDE, port)) {
                bench.delete("partner.yaml");
                var cut = log.await(line -> line.getOrDefault("error", "").contains("egress change"));
                assertThat(cut).containsEntry("dst.addr", "203.0.113.1:" + port);
                assertThat(open.isCutWithin(15_000)).isTrue();
            }
            await("its end closes it again", () -> !canReachOutside("closed/bob", port));

            bench.write("closed.yaml", closed(", loam.io/exclude-outbound-ports: '" + port + "'"));
            await("a port that is not captured", () -> canReachOutside("closed/bob", port));
            bench.write("closed.yaml", closed(""));
            await("a port that is captured again", () -> !canReachOutside("closed/bob", port));
        }
    }

    @Test
    void egressThatClosesCutsWhatIsOpenToTheOutsideAndNothingElse() throws Exception {
        bench.write("closing.yaml", namespace("closing", AMBIENT) + caller("closing", "carol", "one"));
        await(
                "the pod",
                () -> bench.lab().pods().stream()
                        .anyMatch(pod -> pod.namespace().equals("closing") && pod.ready()));
        bench.awaitMesh(true, "closing/carol");
        bench.awaitReady();
        ServerSocket server;
        try (var fabric = Netns.open(bench.lab().fabricNetns())) {
            server = fabric.call(RoutingNetnsIT::listener);
        }
        try (server;
                var outside = bench.connect("closing/carol", OUTSIDE, server.getLocalPort());
                var accepted = server.accept();
                var known = bench.connect("closing/carol", CACHE, REDIS)) {
            accepted.getOutputStream().write("open\r\n".getBytes(StandardCharsets.UTF_8));
            assertThat(outside.ask("anybody there?")).isEqualTo("open");
            assertThat(known.isAlive()).isTrue();
            var log = bench.accessLog("one");

            bench.write(
                    "closing.yaml",
                    namespace("closing", AMBIENT)
                                    .replace(
                                            "name: closing",
                                            "name: closing, annotations: {loam.io/outbound-traffic-policy: REGISTRY_ONLY}")
                            + caller("closing", "carol", "one"));

            assertThat(outside.isCutWithin(15_000)).isTrue();
            assertThat(log.await(line -> "NOT_IN_REGISTRY".equals(line.get("code"))))
                    .containsEntry("dst.addr", "203.0.113.1:" + server.getLocalPort());
            assertThat(known.isAlive()).isTrue();
        } finally {
            bench.delete("closing.yaml");
        }
    }

    /// Wire reference, 3.2 and section 9: the agent asks the cluster's name server, and says what it was told.
    @Test
    void endpointsThatAreHostNamesAreResolvedByTheAgent() throws Exception {
        var log = bench.accessLog("one");
        bench.write("legacy.yaml", legacy("cache.shop.svc.cluster.local"));
        await("the way to where the name leads", () -> isAlive("shop/alice", OUTSIDE));
        log.await(line -> "legacy.example.com".equals(line.get("dst.service"))
                && "10.96.7.7:6379".equals(line.get("dst.addr"))
                && !line.containsKey("code"));

        bench.write("legacy.yaml", legacy("no-such-name.shop.svc.cluster.local"));
        await("a name that leads nowhere", () -> !isAlive("shop/alice", OUTSIDE));
        assertThat(log.await(line -> "UNRESOLVED".equals(line.get("code"))))
                .containsEntry("dst.service", "legacy.example.com")
                .hasEntrySatisfying(
                        "error",
                        error -> assertThat(error)
                                .isEqualTo(
                                        "no-such-name.shop.svc.cluster.local: no such name (asked 10.96.0.10 port 53)"));
        bench.delete("legacy.yaml");
    }

    private static String legacy(String endpoint) {
        return """
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: legacy, namespace: shop}
                spec:
                  hosts: [legacy.example.com]
                  addresses: [203.0.113.1]
                  resolution: DNS
                  ports: [{number: 6379, name: tcp, protocol: TCP}]
                  endpoints: [{address: %s}]
                """.formatted(endpoint);
    }

    /// Endpoints come and go by themselves and under load; each answers for some seconds after it was told to
    /// end, as a program behind a load balancer has to.
    @Test
    void endpointsComeAndGoUnderLoadWithoutAFailedConnection() throws Exception {
        try (var load = Load.start(bench.lab().podNetns("shop/alice"), CACHE, 2, "churn")) {
            load.awaitMore(20);
            for (int i = 1; i <= CHURNS; i++) {
                var fresh = "shop/cache-" + i;
                bench.write("cache-" + i + ".yaml", cache(i));
                await(
                        "readiness of " + fresh,
                        () -> bench.lab().pods().stream()
                                .anyMatch(pod -> fresh.endsWith("/" + pod.name()) && pod.ready()));
                bench.awaitMesh(true, fresh);
                bench.awaitReady();
                load.awaitMore(50);
                bench.delete("cache-" + (i - 1) + ".yaml");
                var gone = "cache-" + (i - 1);
                await(
                        "end of " + gone,
                        () -> bench.lab().pods().stream()
                                .noneMatch(pod -> pod.name().equals(gone)));
                load.awaitMore(50);
            }
            load.stop();

            System.out.printf(
                    "churn: %d endpoints replaced, %d connections, %d failed, longest gap %d ms%n",
                    CHURNS,
                    load.succeeded(),
                    load.failures().size(),
                    load.longestGap().toMillis());
            assertThat(load.failures()).isEmpty();
        }
    }

    /// Hazard I18: nothing goes around a waypoint, whether it is there or not; and through it everything
    /// works.
    @Test
    void nothingReachesAServiceAroundItsWaypoint() throws Exception {
        var pod = bench.ipv4("shop/guarded");
        var one = bench.accessLog("one");
        var two = bench.accessLog("two");

        assertThat(isAlive("shop/alice", GUARDED)).isFalse(); // nobody has written the Gateway
        one.await(line -> "WAYPOINT_UNRESOLVED".equals(line.get("code")));
        assertThat(isAlive("shop/alice", pod)).isFalse();
        one.await(line -> "PEER_DENIED".equals(line.get("code")));
        assertThat(isAlive("plain/stranger", pod)).isFalse();
        two.await(line -> "POLICY_DENIED".equals(line.get("code"))
                && line.getOrDefault("error", "").contains("loam_behind_waypoint_shop.w_6379"));

        bench.write("waypoint.yaml", """
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: w, namespace: shop}
                spec:
                  gatewayClassName: istio-waypoint
                  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
                ---
                {apiVersion: v1, kind: ServiceAccount, metadata: {name: w, namespace: shop}}
                ---
                apiVersion: v1
                kind: Pod
                metadata:
                  name: w-1
                  namespace: shop
                  labels: {gateway.networking.k8s.io/gateway-name: w, networking.istio.io/tunnel: http}
                spec:
                  nodeName: two
                  serviceAccountName: w
                  containers: [{name: main, command: [sleep, infinity]}]
                """);
        await(
                "the waypoint",
                () -> bench.lab().pods().stream()
                        .anyMatch(instance -> instance.name().equals("w-1") && instance.ready()));
        bench.awaitReady();
        var identity = new SpiffeId("cluster.local", "shop", "w");
        try (var waypoint = new StandInWaypoint(
                bench.lab().name().stateDir().resolve("ca"),
                identity,
                bench.lab().podNetns("shop/w-1"),
                bench.ipv4("shop/w-1"),
                new InetSocketAddress(pod, REDIS),
                new SpiffeId("cluster.local", "shop", "guarded"))) {
            await("the way through the waypoint", () -> isAlive("shop/alice", GUARDED));
            assertThat(waypoint.seen)
                    .contains(
                            new StandInWaypoint.Seen("10.96.7.8:6379", new SpiffeId("cluster.local", "shop", "alice")));
            assertThat(isAlive("shop/alice", pod)).isFalse();
            assertThat(isAlive("plain/stranger", pod)).isFalse();
        }
        assertThat(isAlive("shop/alice", GUARDED)).isFalse(); // its listener is gone
        bench.delete("waypoint.yaml");
        await("refusals without the waypoint", () -> {
            assertThat(isAlive("shop/alice", GUARDED)).isFalse();
            return bench.lab().pods().stream()
                    .noneMatch(instance -> instance.name().equals("w-1"));
        });
        assertThatThrownBy(() -> ask("shop/alice", pod)).isInstanceOf(IOException.class);
        HazardFigures.reached(
                "I18",
                "without the Gateway, beside it, with its listener gone and when it was deleted: 0 requests around");
    }

    private static boolean isAlive(String from, InetAddress to) {
        try {
            return ask(from, to).equals("alive");
        } catch (IOException _) {
            return false;
        }
    }

    private static String ask(String from, InetAddress to) throws IOException {
        try (var connection = bench.connect(from, to, REDIS)) {
            return connection.ask("PING alive");
        }
    }

    private static boolean canReachOutside(String from, int port) {
        try (PodConnection connection = bench.connect(from, OUTSIDE, port)) {
            return connection.ask("PING alive").equals("outside");
        } catch (IOException _) {
            return false;
        }
    }

    /// Beyond the mesh: answers every line with `outside`.
    private static ServerSocket outsideServer() throws IOException {
        ServerSocket server;
        try (var fabric = Netns.open(bench.lab().fabricNetns())) {
            server = fabric.call(RoutingNetnsIT::listener);
        }
        Thread.ofPlatform().daemon().name("outside").start(() -> {
            while (!server.isClosed()) {
                try (var connection = server.accept()) {
                    connection.setSoTimeout(5_000);
                    if (connection.getInputStream().read() >= 0) {
                        connection.getOutputStream().write("outside\r\n".getBytes(StandardCharsets.UTF_8));
                    }
                } catch (IOException _) {
                    // closed, or a caller that was cut; the test looks at the callers
                }
            }
        });
        return server;
    }

    private static ServerSocket listener() throws IOException {
        return new ServerSocket(0, 50, OUTSIDE);
    }

    private static String closed(String annotations) {
        return """
                ---
                apiVersion: v1
                kind: Namespace
                metadata:
                  name: closed
                  labels: {%s}
                  annotations: {loam.io/outbound-traffic-policy: REGISTRY_ONLY%s}
                """.formatted(AMBIENT, annotations) + caller("closed", "bob", "one");
    }

    /// A redis that goes on for 3 s after it was told to end.
    private static String cache(int number) {
        return """
                ---
                apiVersion: v1
                kind: Pod
                metadata: {name: cache-%d, namespace: shop, labels: {part: cache}}
                spec:
                  nodeName: %s
                  containers:
                    - name: main
                      command:
                        - bash
                        - -c
                        - |
                          redis-server --port 6379 --bind 0.0.0.0 :: --protected-mode no --save '' &
                          trap 'sleep 3; kill %%1; wait %%1; exit 0' TERM
                          while kill -0 %%1; do wait; done
                      readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
                """.formatted(number, number % 2 == 0 ? "two" : "one");
    }
}
