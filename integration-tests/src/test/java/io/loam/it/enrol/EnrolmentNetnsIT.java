package io.loam.it.enrol;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.Load;
import io.loam.it.bench.MeshBench;
import io.loam.it.bench.PodConnection;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Running pods join and leave the mesh by label alone, and nothing that is open is hurt (hazards C10 and
/// C11): a real lab, agents and redis.
///
/// Whether a connection goes through a proxy is told by the port redis sees: the proxy keeps the caller's address, but
/// opens a socket of its own.
final class EnrolmentNetnsIT {
    private static final String OURS = "loam.io/dataplane-mode: ambient";
    private static final int REDIS = 6379;

    /// Hazard C10 asks for no number; 20 rounds take 15 s.
    private static final int ROUNDS = Integer.getInteger("loam.it.enrolRounds", 8);

    private static MeshBench bench;

    @BeforeAll
    static void start() throws IOException {
        bench = MeshBench.start(
                "itenrol",
                Map.of(
                        "namespaces.yaml",
                        namespace("shop", "") + namespace("outside", ""),
                        "pods.yaml",
                        redis("shop", "cache", "two")
                                + caller("shop", "caller", "one")
                                + redis("outside", "store", "two")
                                + caller("outside", "stranger", "one")));
    }

    @AfterAll
    static void stop() throws IOException {
        if (bench != null) {
            bench.close();
        }
    }

    @AfterEach
    void outOfTheMesh() throws Exception {
        label("");
        bench.awaitMesh(false, "shop/cache", "shop/caller");
        awaitNoRules("shop/cache");
        awaitNoRules("shop/caller");
    }

    private static void label(String label) throws IOException {
        bench.write("namespaces.yaml", namespace("shop", label) + namespace("outside", ""));
    }

    private static void awaitNoRules(String pod) throws Exception {
        await("no rules in " + pod, () -> bench.rules(pod).isBlank());
    }

    @ParameterizedTest
    @ValueSource(strings = {OURS, "istio.io/dataplane-mode: ambient"})
    void openConnectionsOutliveJoiningAndLeaving(String label) throws Exception {
        try (var connections = new Connections()) {
            var before = connections.openAll();
            assertCaptured(before, false);
            var processes = processes();

            label(label);
            bench.awaitMesh(true, "shop/cache", "shop/caller");

            assertAlive(before);
            var tunnelled = connections.openAll();
            assertCaptured(tunnelled, true);
            assertKeepsSourceAddress(tunnelled);
            assertOnlyTlsOnTheLink();

            label("");
            bench.awaitMesh(false, "shop/cache", "shop/caller");

            assertAlive(before);
            assertAlive(tunnelled);
            var plain = connections.openAll();
            assertCaptured(plain, false);
            assertThat(processes()).isEqualTo(processes);
            System.out.printf(
                    "hazard C10: %d of %d connections older than joining, %d of %d older than leaving live on%n",
                    before.size(), before.size(), tunnelled.size(), tunnelled.size());
        }
        long took = await(
                "no rules left",
                () -> bench.rules("shop/cache").isBlank()
                        && bench.rules("shop/caller").isBlank());
        System.out.printf("hazard C11: rules gone %d ms after the last tunnelled connection%n", took / 1_000_000);
        assertThat(Duration.ofNanos(took)).isLessThan(Duration.ofSeconds(2));
    }

    @Test
    void aPodsOwnLabelOverridesThatOfItsNamespace() throws Exception {
        try (var connections = new Connections()) {
            // Given a namespace in the mesh whose redis says no
            relabelCache("loam.io/dataplane-mode: none");
            label(OURS);
            bench.awaitMesh(true, "shop/caller");
            bench.awaitMesh(false, "shop/cache");
            awaitNoRules("shop/cache");
            assertThat(connections
                            .open("outside/stranger", bench.ipv4("shop/cache"))
                            .isCaptured())
                    .isFalse();
            assertThat(connections.open("shop/caller", bench.ipv4("shop/cache")).isCaptured())
                    .as("the caller's side still captures")
                    .isTrue();

            // When only the redis says yes, in the other spelling
            label("");
            relabelCache("istio.io/dataplane-mode: ambient");
            bench.awaitMesh(false, "shop/caller");
            bench.awaitMesh(true, "shop/cache");

            // Then it alone is captured
            assertThat(connections
                            .open("outside/stranger", bench.ipv4("shop/cache"))
                            .isCaptured())
                    .isTrue();
            await("no rules in the caller", () -> !bench.rules("shop/caller").contains("redirect"));
        } finally {
            relabelCache("");
        }
    }

    private static void relabelCache(String label) throws IOException {
        var file = bench.file("pods.yaml");
        var labels = "labels: {app: cache" + (label.isEmpty() ? "" : ", " + label) + "}";
        Files.writeString(file, Files.readString(file).replaceAll("labels: \\{app: cache[^}]*}", labels));
    }

    @Test
    void podsOutsideTalkWithBothKinds() throws Exception {
        label(OURS);
        bench.awaitMesh(true, "shop/cache", "shop/caller");
        try (var connections = new Connections()) {
            for (var ip : List.of(bench.ipv4("outside/store"), bench.ipv6("outside/store"))) {
                assertThat(connections.open("outside/stranger", ip).isCaptured())
                        .as("outside to outside")
                        .isFalse();
                assertThat(connections.open("shop/caller", ip).isAlive())
                        .as("mesh to outside")
                        .isTrue();
            }
            for (var ip : List.of(bench.ipv4("shop/cache"), bench.ipv6("shop/cache"))) {
                assertThat(connections.open("outside/stranger", ip).isAlive())
                        .as("outside to mesh")
                        .isTrue();
            }
        }
    }

    /// Hazard C11: a pod ends under traffic; its agent holds nothing of it any more.
    @Test
    void aPodThatEndsUnderTrafficLeavesTheAgentAsItWas() throws Exception {
        label(OURS);
        bench.awaitMesh(true, "shop/cache", "shop/caller");
        var clean = Files.readString(bench.file("pods.yaml"));
        int baseline = settledDescriptors();
        bench.write("extra.yaml", redis("shop", "brief", "two"));
        await(
                "the extra pod",
                () -> bench.lab().pods().stream()
                        .anyMatch(pod -> pod.name().equals("brief") && pod.ready() && pod.redirected()));
        bench.awaitMesh(true, "shop/brief");
        try (var load = Load.start(
                        bench.lab().podNetns("shop/caller"),
                        bench.ipv4("shop/brief"),
                        4,
                        UUID.randomUUID().toString());
                var connections = new Connections()) {
            connections.open("shop/caller", bench.ipv4("shop/brief"));
            connections.open("outside/stranger", bench.ipv4("shop/brief"));
            load.awaitMore(50);

            bench.delete("extra.yaml");

            await(
                    "the pod to be gone",
                    () -> bench.lab().pods().stream()
                            .noneMatch(pod -> pod.name().equals("brief")));
            var gone = System.nanoTime();
            await("descriptors at " + baseline, () -> bench.agentDescriptors("two") <= baseline);
            long took = System.nanoTime() - gone;
            System.out.printf(
                    "hazard C11: agent's descriptors back at %d, %d ms after the pod was gone; %d requests before%n",
                    baseline, took / 1_000_000, load.succeeded());
            assertThat(Duration.ofNanos(took)).isLessThan(Duration.ofSeconds(2));
            assertThat(Files.readString(bench.file("pods.yaml"))).isEqualTo(clean);
        }
    }

    /// The number at which the agent of node two stays for half a second.
    private static int settledDescriptors() throws Exception {
        var seen = new ArrayList<Integer>();
        await("descriptors to settle", () -> {
            seen.add(bench.agentDescriptors("two"));
            int last = seen.size();
            return last > 50
                    && seen.subList(last - 50, last).stream().distinct().count() == 1;
        });
        return seen.getLast();
    }

    /// Hazard C10 under load: no request fails while the namespace joins and leaves, again and again.
    @Test
    void noRequestFailsWhilePodsJoinAndLeave() throws Exception {
        try (var load = Load.start(
                bench.lab().podNetns("shop/caller"),
                bench.ipv4("shop/cache"),
                3,
                UUID.randomUUID().toString())) {
            load.awaitMore(20);
            for (int round = 0; round < ROUNDS; round++) {
                label(OURS);
                bench.awaitMesh(true, "shop/cache", "shop/caller");
                load.awaitMore(10);
                label("");
                bench.awaitMesh(false, "shop/cache", "shop/caller");
                load.awaitMore(10);
            }
            load.stop();
            System.out.printf(
                    "hazard C10: %d of %d requests failed while the pods joined and left %d times; longest gap %d ms%n",
                    load.failures().size(),
                    load.succeeded() + load.failures().size(),
                    ROUNDS,
                    load.longestGap().toMillis());
            assertThat(load.failures()).isEmpty();
        }
    }

    /// Connections to close at the end of a test.
    private static final class Connections implements AutoCloseable {
        private final List<PodConnection> all = new ArrayList<>();

        PodConnection open(String from, InetAddress to) throws IOException {
            var connection = bench.connect(from, to, REDIS);
            all.add(connection);
            return connection;
        }

        /// Out of and into the namespace and within it, both families.
        List<PodConnection> openAll() throws IOException {
            return List.of(
                    open("shop/caller", bench.ipv4("shop/cache")),
                    open("shop/caller", bench.ipv6("shop/cache")),
                    open("shop/caller", bench.ipv4("outside/store")),
                    open("shop/caller", bench.ipv6("outside/store")),
                    open("outside/stranger", bench.ipv4("shop/cache")),
                    open("outside/stranger", bench.ipv6("shop/cache")));
        }

        @Override
        public void close() throws IOException {
            for (var connection : all) {
                connection.close();
            }
        }
    }

    private static void assertCaptured(List<PodConnection> connections, boolean captured) throws IOException {
        for (var connection : connections) {
            assertThat(connection.isCaptured())
                    .as("connection %d captured", connections.indexOf(connection))
                    .isEqualTo(captured);
        }
    }

    private static void assertAlive(List<PodConnection> connections) throws IOException {
        for (var connection : connections) {
            assertThat(connection.isAlive())
                    .as("connection %d", connections.indexOf(connection))
                    .isTrue();
        }
    }

    private static void assertKeepsSourceAddress(List<PodConnection> tunnelled) throws IOException {
        assertThat(tunnelled.get(0).seenBy().getAddress()).isEqualTo(bench.ipv4("shop/caller"));
        assertThat(tunnelled.get(1).seenBy().getAddress()).isEqualTo(bench.ipv6("shop/caller"));
        assertThat(tunnelled.get(4).seenBy().getAddress()).isEqualTo(bench.ipv4("outside/stranger"));
    }

    private static void assertOnlyTlsOnTheLink() throws Exception {
        var token = UUID.randomUUID().toString();
        try (var capture = bench.captureUplink("two", "tcp");
                var v4 = bench.connect("shop/caller", bench.ipv4("shop/cache"), REDIS);
                var v6 = bench.connect("shop/caller", bench.ipv6("shop/cache"), REDIS)) {
            assertThat(v4.ask("PING " + token)).isEqualTo(token);
            assertThat(v6.ask("PING " + token)).isEqualTo(token);
            var seen = capture.stop();
            assertThat(seen.dropped()).isZero();
            assertThat(seen.containsPlaintext(token)).isFalse();
            assertThat(seen.flowsTo(REDIS)) // the last packets of older connections apart
                    .allMatch(flow ->
                            flow.toServer().length() == 0 && flow.toClient().length() == 0);
            assertThat(seen.flowsTo(15008)).isNotEmpty();
        }
    }

    /// Number and start of the processes of the namespace's pods: equal means nothing was restarted.
    private static String processes() throws IOException {
        var pids = new ArrayList<String>();
        for (var pod : List.of("shop/cache", "shop/caller")) {
            var netns = bench.lab().podNetns(pod).getFileName().toString();
            var process = new ProcessBuilder("ip", "netns", "pids", netns).start();
            pids.add(new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .map(pid -> pid + "@"
                            + ProcessHandle.of(Long.parseLong(pid.strip()))
                                    .flatMap(handle -> handle.info().startInstant())
                                    .orElse(null))
                    .collect(Collectors.joining(",")));
        }
        return pids.toString();
    }
}
