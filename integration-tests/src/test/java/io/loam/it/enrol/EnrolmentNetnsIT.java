package io.loam.it.enrol;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.AccessLog;
import io.loam.it.bench.Load;
import io.loam.it.bench.MeshBench;
import io.loam.it.bench.PodConnection;
import io.loam.it.lab.HazardFigures;
import io.loam.lab.command.Command;
import io.loam.protocol.linux.Netns;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
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

    /// Hazards I12 and I13 ask for 1,000 turns, which take an hour: each is a pod that ends and one that starts.
    private static final int TURNS = Integer.getInteger("loam.it.turns", 2);

    /// In each turn, before the agent hears of it.
    private static final int REFUSALS = 5;

    /// In each turn: every second call of the service, as the dice have it.
    private static final int ELSEWHERE = 3;

    private static final InetAddress TURNS_SERVICE = InetAddress.ofLiteral("10.96.7.77");

    /// Says its name as the pods do that take turns, and is an endpoint of their service.
    private static final String STEADY = """
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: turns, namespace: shop}
            spec: {clusterIP: 10.96.7.77, selector: {says: name}, ports: [{port: 7000}]}
            ---
            apiVersion: v1
            kind: ServiceAccount
            metadata: {name: steady, namespace: shop}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: steady, namespace: shop, labels: {says: name}}
            spec:
              serviceAccountName: steady
              nodeName: two
              terminationGracePeriodSeconds: 0
              containers:
                - name: main
                  command: [socat, "TCP-LISTEN:7000,fork,reuseaddr", "EXEC:echo steady"]
                  readinessProbe: {tcpSocket: {port: 7000}, periodSeconds: 1}
            """;

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

    /// Hazards I12 and I13: pods with accounts of their own take turns with one address, under traffic to them and from
    /// them, while the agent of their peers hears of each turn only after some of that traffic: the control plane's
    /// words to it are lost meanwhile. Whoever answers is whom the caller's agent meant, and whoever called is whom
    /// the server's agent names. Of a service that has another endpoint, no connection is lost to the mistake.
    @Test
    void podsThatTakeTurnsWithAnAddressAreNotTakenForEachOther() throws Exception {
        bench.write("sink.yaml", MeshBench.pod("shop", "sink", "one", """
                [bash, -c, "socat TCP-LISTEN:7001,fork,reuseaddr EXEC:cat & exec socat TCP-LISTEN:7002,fork,reuseaddr EXEC:cat"]"""));
        await(
                "the sink",
                () -> bench.lab().pods().stream().anyMatch(pod -> pod.name().equals("sink") && pod.ready()));
        bench.write("steady.yaml", STEADY);
        bench.write("turn.yaml", turn(0));
        label(OURS);
        await(
                "the first turn, and who takes none",
                () -> bench.lab().pods().stream()
                                .filter(pod -> Set.of(turnOf(0), "steady").contains(pod.name()) && pod.ready())
                                .count()
                        == 2);
        bench.awaitMesh(true, "shop/caller", "shop/sink", "shop/steady", "shop/" + turnOf(0));
        bench.awaitReady();
        int calledService = 0;
        var log = bench.accessLog("one");
        var address = bench.ipv4("shop/" + turnOf(0));
        try (var callers = new NameCallers(bench.lab().podNetns("shop/caller"), address)) {
            callers.awaitAnswersOf(turnOf(0));
            for (int turn = 1; turn <= TURNS; turn++) {
                var next = turnOf(turn);
                var before = turnOf(turn - 1);
                long refusals = refusals(log, before);
                inNodeOne("add table inet deaf; add chain inet deaf input { type filter hook input priority 0; };"
                        + " add rule inet deaf input tcp sport 15012 drop");
                try {
                    bench.write("turn.yaml", turn(turn));
                    await(
                            next + " at the address of " + before,
                            () -> bench.lab().pods().stream()
                                    .anyMatch(pod -> pod.name().equals(next)
                                            && pod.redirected()
                                            && pod.ips().contains(address)));
                    await(next + " to be refused as " + before, () -> refusals(log, before) >= refusals + REFUSALS);
                    long elsewhere = elsewhere(log);
                    var answers = new ArrayList<String>();
                    await("calls of the service that go on to its other endpoint", () -> {
                        answers.add(callers.nameAt(TURNS_SERVICE));
                        return elsewhere(log) >= elsewhere + ELSEWHERE;
                    });
                    assertThat(answers).containsOnly("steady");
                    calledService += answers.size();
                } finally {
                    inNodeOne("delete table inet deaf");
                }
                callers.awaitAnswersOf(next);
                int current = turn;
                await("a call of " + next, () -> !calls(log, current).isEmpty());
            }
            callers.stop();

            // Counted, not compared one by one: a call that shares its port with one to the service is given another by
            // the redirection, and that is the one the agent sees.
            await("all answers in the log", () -> {
                for (var name : List.of(turnOf(0), turnOf(1))) {
                    assertThat(answered(log, name)).as(name).hasSizeGreaterThanOrEqualTo(callers.answersOf(name));
                }
                return true;
            });
            long wrong = 0;
            for (var name : List.of(turnOf(0), turnOf(1))) {
                long complete = answered(log, name).stream()
                        .filter(entry -> entry.get("code") == null)
                        .count();
                wrong += Math.max(0, complete - callers.answersOf(name)); // meant this one, and another answered
            }
            HazardFigures.reached(
                    "I12",
                    "%d turns of two pods with one address, the callers' agent not told: %d of %d requests answered by another pod than meant, %d refused for its certificate; of %d calls of a service with another endpoint 0 failed, %d went on to that"
                            .formatted(
                                    TURNS,
                                    wrong,
                                    callers.answersOf(turnOf(0)) + callers.answersOf(turnOf(1)),
                                    refusals(log, turnOf(0)) + refusals(log, turnOf(1)),
                                    calledService,
                                    elsewhere(log)));
            assertThat(wrong).isZero();
            int seen = 0;
            for (int turn = 0; turn < 2; turn++) {
                var name = turnOf(turn);
                var calls = calls(log, turn);
                assertThat(calls)
                        .extracting(call -> call.get("src.identity"))
                        .containsOnly("spiffe://cluster.local/ns/shop/sa/" + name);
                assertThat(calls)
                        .extracting(call -> call.getOrDefault("src.workload", name))
                        .containsOnly(name);
                seen += calls.size();
            }
            HazardFigures.reached(
                    "I13",
                    "%d turns, %d calls from the two pods: 0 with another identity or name than the caller's in certificate and log"
                            .formatted(TURNS, seen));
        } finally {
            bench.delete("turn.yaml");
            bench.delete("sink.yaml");
            bench.delete("steady.yaml");
            await(
                    "the extra pods to be gone",
                    () -> bench.lab().pods().stream()
                            .noneMatch(pod -> pod.name().startsWith("turn-")
                                    || pod.name().equals("sink")
                                    || pod.name().equals("steady")));
        }
    }

    private static String turnOf(int turn) {
        return turn % 2 == 0 ? "turn-a" : "turn-b";
    }

    /// Says its name on port 7000 and calls a port of the sink that only this one of the two calls.
    private static String turn(int turn) {
        var name = turnOf(turn);
        return """
                ---
                apiVersion: v1
                kind: ServiceAccount
                metadata: {name: %1$s, namespace: shop}
                ---
                apiVersion: v1
                kind: Pod
                metadata: {name: %1$s, namespace: shop, labels: {app: %1$s, says: name}, annotations: {loam.io/pod-ip: 10.244.2.77}}
                spec:
                  serviceAccountName: %1$s
                  nodeName: two
                  terminationGracePeriodSeconds: 0
                  containers:
                    - name: main
                      command: [bash, -c, "socat TCP-LISTEN:7000,fork,reuseaddr 'EXEC:echo %1$s' & while :; do echo a call | socat -T 5 - TCP:%2$s:%3$d,connect-timeout=5; sleep 0.05; done"]
                """.formatted(name, bench.ipv4("shop/sink").getHostAddress(), 7001 + turn % 2);
    }

    /// Connections to the address that brought an answer and were meant for this pod, however they ended: a pod that
    /// says
    /// its name and is ended in the same moment resets the connection.
    private static List<Map<String, String>> answered(AccessLog log, String pod) throws IOException {
        return log.entries().stream()
                .filter(entry -> "outbound".equals(entry.get("direction"))
                        && pod.equals(entry.get("dst.workload"))
                        && !entry.getOrDefault("bytes_recv", "0").equals("0"))
                .toList();
    }

    /// Connections that found somebody else and went on to whom the mesh named instead.
    private static long elsewhere(AccessLog log) throws IOException {
        return log.entries().stream()
                .filter(entry -> "outbound".equals(entry.get("direction"))
                        && "steady".equals(entry.get("dst.workload"))
                        && entry.getOrDefault("instead_of", "").startsWith("10.244.2.77 port 15008: TLS refused: "))
                .count();
    }

    /// Of connections to the address, as long as the caller's agent took it for this pod's.
    private static long refusals(AccessLog log, String pod) throws IOException {
        return log.entries().stream()
                .filter(entry -> "outbound".equals(entry.get("direction"))
                        && pod.equals(entry.get("dst.workload"))
                        && "TLS_REFUSED".equals(entry.get("code")))
                .count();
    }

    /// What the sink's agent says of those that the pod of this turn made.
    private static List<Map<String, String>> calls(AccessLog log, int turn) throws IOException {
        return log.entries().stream()
                .filter(entry -> "inbound".equals(entry.get("direction"))
                        && String.valueOf(entry.get("dst.hbone_addr")).endsWith(":" + (7001 + turn % 2)))
                .toList();
    }

    private static void inNodeOne(String rules) throws IOException {
        Command.run(List.of("nsenter", "--net=" + bench.lab().nodeNetns("one"), "nft", rules));
    }

    /// Connects again and again and asks who is there.
    private static final class NameCallers implements AutoCloseable {
        /// How often who has answered.
        private final Map<String, Integer> answers = new ConcurrentHashMap<>();

        private final Netns netns;
        private final InetAddress address;
        private final Thread thread;
        private volatile String last = "";
        private volatile boolean stopped;

        NameCallers(Path pod, InetAddress address) throws IOException {
            this.netns = Netns.open(pod);
            this.address = address;
            this.thread = Thread.ofPlatform().name("name-callers").start(this::run);
        }

        private void run() {
            while (!stopped) {
                try (var channel = netns.call(SocketChannel::open)) {
                    var line = nameAt(channel, address);
                    if (line != null) {
                        answers.merge(line, 1, Integer::sum);
                        last = line;
                    }
                } catch (IOException _) {
                    LockSupport.parkNanos(5_000_000); // refused, or nobody there: what the test waits for
                }
            }
        }

        private static @Nullable String nameAt(SocketChannel channel, InetAddress address) throws IOException {
            channel.socket().setSoTimeout(5_000);
            channel.socket().connect(new InetSocketAddress(address, 7000), 5_000);
            return new BufferedReader(new InputStreamReader(channel.socket().getInputStream(), StandardCharsets.UTF_8))
                    .readLine();
        }

        /// One call from the same pod.
        String nameAt(InetAddress other) {
            try (var channel = netns.call(SocketChannel::open)) {
                return String.valueOf(nameAt(channel, other));
            } catch (IOException e) {
                return "nobody: " + e;
            }
        }

        int answersOf(String pod) {
            return answers.getOrDefault(pod, 0);
        }

        void awaitAnswersOf(String pod) throws Exception {
            await("an answer of " + pod, () -> last.equals(pod));
        }

        void stop() throws InterruptedException {
            stopped = true;
            thread.join(Duration.ofSeconds(20));
        }

        @Override
        public void close() {
            try {
                stop();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
            netns.close();
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
