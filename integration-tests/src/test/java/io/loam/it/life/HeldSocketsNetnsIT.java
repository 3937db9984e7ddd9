package io.loam.it.life;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.AccessLog;
import io.loam.it.bench.MeshBench;
import io.loam.it.bench.PodConnection;
import io.loam.it.lab.HazardFigures;
import io.loam.lab.command.Command;
import io.loam.lab.load.OpenLoopLoad;
import io.loam.lab.load.OpenLoopLoad.Sample;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The privileged half keeps the pods' listeners: agents that die or are replaced refuse nobody, and nothing
/// of theirs goes in plaintext.
///
/// The figures of the hazards take a quiet machine and minutes: `-Dloam.held.rate=5000 -Dloam.held.pods=20
/// -Dloam.held.upgrades=20 -Dloam.held.streams=1000` (P1 to P3), `-Dloam.held.rate=500 -Dloam.held.kills=12
/// -Dloam.held.pause=10` (P4).
final class HeldSocketsNetnsIT {
    private static final String CACHE = "shop/cache";
    private static final String CALLER = "shop/caller";
    private static final int PER_SECOND = Integer.getInteger("loam.held.rate", 100);
    private static final int CALLERS = Integer.getInteger("loam.held.pods", 4);
    private static final int UPGRADES = Integer.getInteger("loam.held.upgrades", 4);
    private static final int OPEN_STREAMS = Integer.getInteger("loam.held.streams", 100);
    private static final int KILLS = Integer.getInteger("loam.held.kills", 2);

    /// Between the end of one outage and the next, seconds.
    private static final Duration PAUSE = Duration.ofSeconds(Integer.getInteger("loam.held.pause", 1));

    /// After 10 s the caller's agent stops waiting for the other one (`SocketConfig`): on a machine so busy that an
    /// agent takes longer to come back, that is what connections hear, and no refusal.
    private static final Duration DIAL_LIMIT = Duration.ofMillis(9_900);

    private static final Duration DRAIN = Duration.ofSeconds(15);

    /// Connections that evade the tunnels: the node's uplink carries nothing else of the pods.
    private static final String BYPASS = "tcp and not tcp port 15008";

    private static MeshBench bench;

    @BeforeAll
    static void start() throws Exception {
        bench = MeshBench.start(
                "ithold",
                Map.of(
                        "namespaces.yaml",
                        namespace("shop", "istio.io/dataplane-mode: ambient"),
                        "pods.yaml",
                        redis("shop", "cache", "two") + callers()),
                Map.of("CONNECTION_TERMINATION_DEADLINE", DRAIN.toSeconds() + "s"));
        bench.awaitMesh(true, CACHE, CALLER);
    }

    private static String callers() {
        return IntStream.range(0, CALLERS)
                .mapToObj(i -> caller("shop", i == 0 ? "caller" : "caller-" + i, "one"))
                .collect(Collectors.joining());
    }

    private static OpenLoopLoad load(String token) throws IOException {
        var pods = bench.lab().pods().stream()
                .filter(pod -> pod.name().startsWith("caller"))
                .map(pod -> bench.lab().podNetns(pod.namespace() + "/" + pod.name()))
                .toList();
        assertThat(pods).hasSize(CALLERS);
        return OpenLoopLoad.start(
                pods,
                new InetSocketAddress(bench.ipv4(CACHE), 6379),
                PER_SECOND,
                "PING " + token + "\r\n",
                "$" + token.length() + "\r\n" + token + "\r\n");
    }

    @AfterAll
    static void stop() throws IOException {
        if (bench != null) {
            bench.close();
        }
    }

    /// Hazards P4 and C4, for the caller's agent and for the called one's: who connects while no agent lives
    /// waits in the backlog and is served by the next one. Only what was open at the moment of the kill is
    /// lost.
    @ParameterizedTest
    @ValueSource(strings = {"one", "two"})
    void whoConnectsWhileTheAgentIsDeadWaitsAndIsServed(String node) throws Exception {
        var token = UUID.randomUUID().toString();
        var deaths = new ArrayList<Death>();
        var outages = new ArrayList<Duration>();
        List<Sample> samples;
        try (var capture = bench.captureUplink("two", BYPASS);
                var load = load(token)) {
            for (int round = 0; round < KILLS; round++) {
                long now = System.nanoTime();
                load.awaitAnswerTo(now + PAUSE.toNanos()); // it serves, and has for a while
                var agent = bench.lab().agent(node);
                long killed = System.nanoTime();
                agent.destroyForcibly();
                agent.onExit().get(10, TimeUnit.SECONDS);
                long gone = System.nanoTime();
                deaths.add(new Death(killed, gone));
                load.awaitAnswerTo(gone);
                outages.add(Duration.ofNanos(System.nanoTime() - gone));
            }
            load.awaitAnswerTo(System.nanoTime() + Duration.ofSeconds(1).toNanos());
            samples = load.stop();
            var seen = capture.stop();
            assertThat(seen.dropped()).isZero();
            assertThat(seen.containsPlaintext(token)).isFalse();
        }
        var failed = samples.stream().filter(sample -> sample.failure() != null).toList();
        var refused = failed.stream()
                .filter(sample -> deaths.stream().noneMatch(death -> death.cut(sample)))
                .filter(sample -> sample.waited().compareTo(DIAL_LIMIT) < 0)
                .toList();
        var p99 = percentile(samples, 0.99);
        var longest = outages.stream().max(Duration::compareTo).orElseThrow();
        assertThat(refused).isEmpty();
        assertThat(p99).isLessThan(longest.plus(MeshBench.PATIENCE)); // nobody is forgotten in the backlog
        HazardFigures.reached(
                "P4",
                "agent of %s killed %d times at %d conn/s: %d connections, %d refused, %d cut that were open or waited 10 s,"
                                .formatted(
                                        node,
                                        deaths.size(),
                                        PER_SECOND,
                                        samples.size(),
                                        refused.size(),
                                        failed.size() - refused.size())
                        + " delay p99 %d ms, longest %d ms; from death to the next answer %s ms; plaintext: none"
                                .formatted(
                                        p99.toMillis(),
                                        percentile(samples, 1).toMillis(),
                                        outages.stream().map(Duration::toMillis).toList()));
        bench.awaitReady();
    }

    private record Death(long killed, long gone) {
        /// Whether a connection was open while the agent died: it began before it was gone and did not end
        /// before.
        boolean cut(Sample sample) {
            return sample.begun() <= gone && sample.done() >= killed;
        }
    }

    /// Hazards P1, P2 and P3: upgrades of both ends in turn, each to another number of event loops, so that
    /// listeners have to be shared out again. No connection fails; what is open lives as long as the drain
    /// allows, and then ends with a reason.
    @Test
    void replacedAgentsFailNobodyAndKeepTheirOpenConnectionsUntilTheDeadline() throws Exception {
        var token = UUID.randomUUID().toString();
        List<Sample> samples;
        try (var capture = bench.captureUplink("two", BYPASS);
                var streams = new OpenStreams(OPEN_STREAMS);
                var load = load(token)) {
            load.awaitAnswerTo(System.nanoTime());
            var log = bench.accessLog("one");
            upgrade(0, load);
            streams.checkUntil(DRAIN.minusSeconds(1));
            for (int round = 1; round < UPGRADES; round++) {
                upgrade(round, load);
            }
            var exchanges = streams.exchanges();
            HazardFigures.reached(
                    "P2",
                    "%d open streams alive at the drain deadline - 1 s, after %d exchanges of blocks that were exact"
                            .formatted(OPEN_STREAMS, exchanges));
            await("all open streams cut", streams::areCut);
            await("a line for each", () -> drained(log) >= OPEN_STREAMS);
            HazardFigures.reached(
                    "P3",
                    "%d of %d streams cut at the drain deadline are logged with the reason"
                            .formatted(drained(log), OPEN_STREAMS));
            samples = load.stop();
            var seen = capture.stop();
            var failed =
                    samples.stream().filter(sample -> sample.failure() != null).toList();
            assertThat(failed).isEmpty();
            assertThat(seen.dropped()).isZero();
            assertThat(seen.containsPlaintext(token)).isFalse();
            HazardFigures.reached(
                    "P1",
                    "%d agents replaced at %d conn/s from %d pods: %d connections, 0 failed, delay p99 %d ms, longest %d ms"
                            .formatted(
                                    UPGRADES,
                                    PER_SECOND,
                                    CALLERS,
                                    samples.size(),
                                    percentile(samples, 0.99).toMillis(),
                                    percentile(samples, 1).toMillis()));
        }
        bench.awaitReady();
    }

    private static void upgrade(int round, OpenLoopLoad load) throws Exception {
        var node = round % 2 == 0 ? "one" : "two";
        var workers = List.of("3", "1", "1", "4", "2").get(round % 5);
        var before = bench.lab().agent(node);
        var draining = bench.lab().replaceAgent(node, Map.of("ZTUNNEL_WORKER_THREADS", workers));
        assertThat(draining.map(ProcessHandle::pid)).contains(before.pid());
        assertThat(bench.lab().agent(node).pid()).isNotEqualTo(before.pid());
        load.awaitAnswerTo(System.nanoTime());
    }

    /// Streams of the test that the caller's agent cut.
    private static long drained(AccessLog log) throws IOException {
        return log.entries().stream()
                .filter(line -> "outbound".equals(line.get("direction")))
                .filter(line -> line.getOrDefault("error", "").contains("drain deadline reached"))
                .count();
    }

    /// Hazard C11: what is kept for a pod goes with it, whether it leaves the mesh or ends.
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aPodThatLeavesLeavesNoListenerBehind(boolean ends) throws Exception {
        var yaml = caller("guests", "guest", "one");
        bench.write("guests.yaml", namespace("guests", "istio.io/dataplane-mode: ambient") + yaml);
        await(
                "the guest noticed",
                () -> bench.lab().pods().stream()
                        .anyMatch(pod -> pod.namespace().equals("guests")));
        bench.awaitReady();
        bench.awaitMesh(true, "guests/guest");
        var listeners = listeners("guests/guest");
        var enroller = ProcessHandle.current().pid();
        assertThat(listeners).hasSizeGreaterThanOrEqualTo(5);
        assertThat(openSockets(enroller)).containsAll(listeners);
        assertThat(openSockets(bench.lab().agent("one").pid())).containsAll(listeners);

        if (ends) {
            bench.write("guests.yaml", namespace("guests", "istio.io/dataplane-mode: ambient"));
        } else {
            bench.write("guests.yaml", namespace("guests", "") + yaml);
        }

        await("no listener kept", () -> openSockets(enroller).stream().noneMatch(listeners::contains));
        await(
                "no listener in the agent",
                () -> openSockets(bench.lab().agent("one").pid()).stream().noneMatch(listeners::contains));
        bench.write("guests.yaml", namespace("guests", ""));
        await(
                "the guest gone",
                () -> bench.lab().pods().stream()
                        .noneMatch(pod -> pod.namespace().equals("guests")));
    }

    /// Inodes of the sockets that listen on the agent's ports in a pod, those for datagrams of port 15053 included.
    private static Set<Long> listeners(String pod) throws IOException {
        var table = Command.run(List.of(
                "nsenter",
                "--net=" + bench.lab().podNetns(pod),
                "cat",
                "/proc/net/tcp",
                "/proc/net/tcp6",
                "/proc/net/udp",
                "/proc/net/udp6"));
        var found = new HashSet<Long>();
        for (var line : table.lines().toList()) {
            var fields = line.strip().split("\\s+"); // proc(5): number, local, remote, state, …, inode in the tenth
            if (fields.length > 9 && fields[3].matches("0A|07") && fields[1].matches(".*:3A(99|9E|A0|CD)")) {
                found.add(Long.valueOf(fields[9]));
            }
        }
        return found;
    }

    private static Set<Long> openSockets(long pid) throws IOException {
        var found = new HashSet<Long>();
        try (var files = Files.list(Path.of("/proc", Long.toString(pid), "fd"))) {
            for (var file : files.toList()) {
                try {
                    var target = Files.readSymbolicLink(file).toString();
                    if (target.startsWith("socket:[")) {
                        found.add(Long.valueOf(target.substring(8, target.length() - 1)));
                    }
                } catch (NoSuchFileException _) {
                    // Closed since it was listed.
                }
            }
        }
        return found;
    }

    private static Duration percentile(List<Sample> samples, double share) {
        var sorted = samples.stream().map(Sample::delay).sorted().toList();
        return sorted.get((int) Math.min(sorted.size() - 1L, Math.round(share * sorted.size())));
    }

    /// Connections that stay open and ask for numbered blocks all the time.
    private static final class OpenStreams implements AutoCloseable {
        private static final Duration PACE = Duration.ofMillis(500);

        private final List<PodConnection> connections = new ArrayList<>();
        private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        private final List<Future<Integer>> results = new ArrayList<>();

        OpenStreams(int count) throws IOException {
            for (int i = 0; i < count; i++) {
                connections.add(bench.connect(CALLER, bench.ipv4(CACHE), 6379));
            }
        }

        void checkUntil(Duration fromNow) {
            long end = System.nanoTime() + fromNow.toNanos();
            for (int i = 0; i < connections.size(); i++) {
                results.add(threads.submit(check(connections.get(i), i, end)));
            }
        }

        private static Callable<Integer> check(PodConnection connection, int number, long end) {
            return () -> {
                int exchanges = 0;
                do {
                    var block = (number + "." + exchanges + ".").repeat(200);
                    assertThat(connection.ask("PING " + block)).isEqualTo(block);
                    exchanges++;
                    Thread.sleep(PACE);
                } while (System.nanoTime() - end < 0);
                var last = "last" + number;
                assertThat(connection.ask("PING " + last)).isEqualTo(last);
                return exchanges + 1;
            };
        }

        /// @return how many there were, all of them exact, up to the end of the check
        int exchanges() throws Exception {
            int sum = 0;
            for (var result : results) {
                sum += result.get(2, TimeUnit.MINUTES);
            }
            return sum;
        }

        boolean areCut() throws IOException {
            for (var connection : connections) {
                if (!connection.isCutWithin(1)) {
                    return false;
                }
            }
            return true;
        }

        @Override
        public void close() throws IOException {
            threads.shutdownNow();
            for (var connection : connections) {
                connection.close();
            }
        }
    }
}
