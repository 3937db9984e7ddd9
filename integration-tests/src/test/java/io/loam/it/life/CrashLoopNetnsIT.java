package io.loam.it.life;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.MeshBench;
import io.loam.it.lab.HazardFigures;
import io.loam.lab.load.OpenLoopLoad;
import io.loam.lab.node.AgentSetup;
import io.loam.protocol.linux.Netns;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hazard P5: what is sent to one pod brings down its agent again and again, until that pod's listeners stay closed.
final class CrashLoopNetnsIT {
    private static final int PER_SECOND = 50;

    /// How long the attack goes on once its target is isolated.
    private static final Duration AFTERWARDS = Duration.ofSeconds(5);

    @TempDir
    private Path folder = Path.of("");

    @Test
    void aPodWhoseInputBringsTheAgentDownIsIsolatedAndTheOthersAreServed() throws Exception {
        var setup = new AgentSetup(Map.of(), List.of("-javaagent:" + poison()), Map.of());
        try (var bench = MeshBench.start(
                "itcrash",
                Map.of(
                        "namespaces.yaml",
                        namespace("shop", "istio.io/dataplane-mode: ambient"),
                        "pods.yaml",
                        redis("shop", "cache", "two")
                                + redis("shop", "victim", "two")
                                + caller("shop", "caller", "one")
                                + caller("shop", "attacker", "one")),
                setup)) {
            bench.awaitMesh(true, "shop/cache", "shop/victim", "shop/caller", "shop/attacker");
            var log = bench.accessLog("two");
            try (var load = OpenLoopLoad.start(
                            List.of(bench.lab().podNetns("shop/caller")),
                            new InetSocketAddress(bench.ipv4("shop/cache"), 6379),
                            PER_SECOND,
                            "PING x\r\n",
                            "$1\r\nx\r\n");
                    var attack = new Attack(bench)) {
                load.awaitAnswerTo(System.nanoTime());
                await(
                        "the victim isolated",
                        Duration.ofMinutes(2),
                        () -> log.text().contains("agents died of it pod=shop/victim"));
                var last = bench.lab().agent("two");
                load.awaitAnswerTo(System.nanoTime()); // what the last crash cut is over
                long isolated = System.nanoTime();
                int attempts = attack.attempts.get();

                load.awaitAnswerTo(isolated + AFTERWARDS.toNanos());
                assertThat(attack.attempts.get()).isGreaterThan(attempts);
                assertThat(bench.lab().agent("two").pid())
                        .as("no further crash")
                        .isEqualTo(last.pid());
                var later = load.stop().stream()
                        .filter(sample -> sample.begun() > isolated)
                        .toList();
                assertThat(later).isNotEmpty().allMatch(sample -> sample.failure() == null);
                long crashes = log.text()
                        .lines()
                        .filter(line -> line.contains("the agent before died while it served a pod"))
                        .count();
                assertThat(crashes).isEqualTo(3);
                HazardFigures.reached(
                        "P5",
                        "pod isolated after 3 crashes of its agent; %d connections to another pod of the node afterwards, 0"
                                        .formatted(later.size())
                                + " failed, while the attack went on");
            }
        }
    }

    /// A jar with nothing in it but the class that the JVM of an agent asks for.
    private Path poison() throws IOException {
        var manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Premain-Class", PoisonedTunnel.class.getName());
        var name = PoisonedTunnel.class.getName().replace('.', '/') + ".class";
        var jar = folder.resolve("poison.jar");
        try (var bytes = PoisonedTunnel.class.getClassLoader().getResourceAsStream(name);
                var out = new JarOutputStream(Files.newOutputStream(jar), manifest)) {
            out.putNextEntry(new JarEntry(name));
            out.write(Objects.requireNonNull(bytes).readAllBytes());
        }
        return jar;
    }

    /// Somebody who asks the victim's port of poison, over and over.
    private static final class Attack implements AutoCloseable {
        private static final Duration PACE = Duration.ofMillis(100);
        private static final int PATIENCE_MILLIS = 2_000;

        final AtomicInteger attempts = new AtomicInteger();
        private final Netns inside;
        private final InetSocketAddress target;
        private final Thread thread =
                Thread.ofPlatform().daemon().name("attack").unstarted(this::run);
        private volatile boolean over;

        Attack(MeshBench bench) throws IOException {
            inside = Netns.open(bench.lab().podNetns("shop/attacker"));
            target = new InetSocketAddress(bench.ipv4("shop/victim"), PoisonedTunnel.PORT);
            thread.start();
        }

        private void run() {
            try {
                while (!over) {
                    attempt();
                    Thread.sleep(PACE);
                }
            } catch (InterruptedException _) {
                // Over.
            } catch (IOException e) {
                if (!over) {
                    throw new IllegalStateException("no socket", e);
                }
            }
        }

        /// The connection to the attacker's own agent stands at once; what comes of it is seen by reading.
        private void attempt() throws IOException {
            try (var channel = inside.call(SocketChannel::open)) {
                var socket = channel.socket();
                socket.setSoTimeout(PATIENCE_MILLIS);
                try {
                    socket.connect(target, PATIENCE_MILLIS);
                    int _ = socket.getInputStream().read();
                } catch (SocketException | SocketTimeoutException _) {
                    // What an attacker gets.
                }
                attempts.incrementAndGet();
            }
        }

        @Override
        public void close() {
            over = true;
            thread.interrupt();
            try {
                thread.join();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
            inside.close();
        }
    }
}
