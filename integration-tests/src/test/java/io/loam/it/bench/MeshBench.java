package io.loam.it.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.config.cluster.RunningPod;
import io.loam.lab.Lab;
import io.loam.lab.capture.LinkCapture;
import io.loam.lab.command.Command;
import io.loam.lab.node.AgentSetup;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;

/// A lab of two nodes, `one` and `two`, in this process, and the directory of files it watches. Tests change
/// the files and await what comes of it. For platform threads.
public final class MeshBench implements AutoCloseable {
    /// Everything awaited takes less than two seconds on a quiet machine.
    public static final Duration PATIENCE = Duration.ofSeconds(20);

    private static final Duration ASK_INTERVAL = Duration.ofMillis(10);
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final String NODES = """
            apiVersion: v1
            kind: Node
            metadata: {name: one}
            ---
            apiVersion: v1
            kind: Node
            metadata: {name: two}
            """;

    private final Path files;
    private final Lab lab;

    private MeshBench(Path files, Lab lab) {
        this.files = files;
        this.lab = lab;
    }

    /// @param yaml name of a file to what is in it; the nodes are there already
    public static MeshBench start(String lab, Map<String, String> yaml) throws IOException {
        return start(lab, yaml, Map.of());
    }

    /// @param agentEnvironment added to that of each agent
    public static MeshBench start(String lab, Map<String, String> yaml, Map<String, String> agentEnvironment)
            throws IOException {
        return start(lab, yaml, new AgentSetup(agentEnvironment, List.of(), Map.of()));
    }

    /// @param agents how they are started
    public static MeshBench start(String lab, Map<String, String> yaml, AgentSetup agents) throws IOException {
        return start(lab, yaml, agents, null);
    }

    /// @param authority directory with the CA's files; null: the lab makes its own
    public static MeshBench start(String lab, Map<String, String> yaml, AgentSetup agents, @Nullable Path authority)
            throws IOException {
        var files = Files.createTempDirectory("loam-" + lab + "-");
        Files.writeString(files.resolve("nodes.yaml"), NODES);
        for (var file : yaml.entrySet()) {
            Files.writeString(files.resolve(file.getKey()), file.getValue());
        }
        var started = Lab.start(lab, List.of(files), agents, authority);
        try {
            started.awaitReady(Duration.ofSeconds(60));
        } catch (IOException e) {
            started.stop();
            throw e;
        }
        return new MeshBench(files, started);
    }

    public Lab lab() {
        return lab;
    }

    public Path file(String name) {
        return files.resolve(name);
    }

    public void write(String file, String yaml) throws IOException {
        Files.writeString(files.resolve(file), yaml);
    }

    public void delete(String file) throws IOException {
        Files.delete(files.resolve(file));
    }

    /// A pod's process that only waits, to be called from.
    public static String caller(String namespace, String name, String node) {
        return pod(namespace, name, node, "[sleep, infinity]");
    }

    /// An unmodified redis on port 6379, IPv4 and IPv6.
    public static String redis(String namespace, String name, String node) {
        return pod(
                        namespace,
                        name,
                        node,
                        "[redis-server, --port, '6379', --bind, 0.0.0.0, '::', --protected-mode, 'no', --save, '',"
                                + " --maxclients, '5000']")
                + "      readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}\n";
    }

    /// A pod with an account of its own name.
    ///
    /// @param command as a YAML list
    public static String pod(String namespace, String name, String node, String command) {
        return """
                ---
                apiVersion: v1
                kind: ServiceAccount
                metadata: {name: %2$s, namespace: %1$s}
                ---
                apiVersion: v1
                kind: Pod
                metadata: {name: %2$s, namespace: %1$s, labels: {app: %2$s}}
                spec:
                  serviceAccountName: %2$s
                  nodeName: %3$s
                  containers:
                    - name: main
                      command: %4$s
                """.formatted(namespace, name, node, command);
    }

    /// @param label `key: value`, or empty
    public static String namespace(String name, String label) {
        return """
                ---
                apiVersion: v1
                kind: Namespace
                metadata: {name: %s, labels: {%s}}
                """.formatted(name, label);
    }

    public InetAddress ipv4(String pod) {
        return address(pod, true);
    }

    public InetAddress ipv6(String pod) {
        return address(pod, false);
    }

    private InetAddress address(String pod, boolean ipv4) {
        return lab.pod(pod).ips().stream()
                .filter(ip -> ip instanceof Inet4Address == ipv4)
                .findFirst()
                .orElseThrow();
    }

    /// A TCP connection from inside a pod, as a program of the pod would open it.
    public PodConnection connect(String fromPod, InetAddress to, int port) throws IOException {
        return PodConnection.open(lab.podNetns(fromPod), to, port);
    }

    public AccessLog accessLog(String node) throws IOException {
        return AccessLog.fromNow(lab.agentLog(node));
    }

    public LinkCapture captureUplink(String node, String filter) throws IOException, InterruptedException {
        return LinkCapture.start(lab.nodeNetns(node), "eth0", filter);
    }

    /// What `GET /config_dump` of the node's agent says.
    public JsonNode configDump(String node) throws IOException {
        return JSON.readTree(Command.run(List.of(
                "nsenter",
                "--net=" + lab.nodeNetns(node),
                "curl",
                "-sS",
                "-m",
                "5",
                "http://127.0.0.1:15000/config_dump")));
    }

    /// What `GET /metrics` of the node's agent says.
    public String metrics(String node) throws IOException {
        return Command.run(List.of(
                "nsenter", "--net=" + lab.nodeNetns(node), "curl", "-sS", "-m", "5", "http://127.0.0.1:15020/metrics"));
    }

    /// The redirection rules in a pod, empty where there are none.
    public String rules(String pod) throws IOException {
        return Command.run(List.of("nsenter", "--net=" + lab.podNetns(pod), "nft", "list", "ruleset"));
    }

    /// Open descriptors of the node's agent.
    public int agentDescriptors(String node) throws IOException {
        try (var entries = Files.list(Path.of("/proc/" + lab.agent(node).pid() + "/fd"))) {
            return (int) entries.count();
        }
    }

    public void awaitReady() throws IOException {
        lab.awaitReady(PATIENCE);
    }

    /// Waits until the lab, all agents and their peers see these pods inside the mesh, or outside of it.
    public void awaitMesh(boolean inside, String... pods) throws Exception {
        await("pods " + List.of(pods) + (inside ? " in" : " out of") + " the mesh", () -> {
            for (var pod : pods) {
                if (lab.pod(pod).redirected() != inside || isHbone(lab.pod(pod)) != inside) {
                    return false;
                }
            }
            return lab.pending().isEmpty();
        });
    }

    private boolean isHbone(RunningPod pod) {
        return lab.mesh().workloads().stream()
                .anyMatch(workload -> workload.name().equals(pod.name())
                        && workload.namespace().equals(pod.namespace())
                        && workload.tunnel() == TunnelProtocol.HBONE);
    }

    /// @return how long it took, nanoseconds
    public static long await(String what, Callable<Boolean> condition) throws Exception {
        long began = System.nanoTime();
        awaitValue(what, () -> condition.call() ? Optional.of(true) : Optional.empty());
        return System.nanoTime() - began;
    }

    public static void await(String what, Duration atMost, Callable<Boolean> condition) throws Exception {
        awaitValue(what, atMost, () -> condition.call() ? Optional.of(true) : Optional.empty());
    }

    /// Asks until there is an answer.
    public static <T> T awaitValue(String what, Callable<Optional<T>> question) throws Exception {
        return awaitValue(what, PATIENCE, question);
    }

    public static <T> T awaitValue(String what, Duration atMost, Callable<Optional<T>> question) throws Exception {
        long deadline = System.nanoTime() + atMost.toNanos();
        Throwable last = null;
        while (true) {
            try {
                var answer = question.call();
                if (answer.isPresent()) {
                    return answer.get();
                }
            } catch (IOException | AssertionError e) { // may hold a moment later
                last = e;
            }
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("not within " + atMost.toSeconds() + " s: " + what, last);
            }
            Thread.sleep(ASK_INTERVAL);
        }
    }

    @Override
    public void close() throws IOException {
        var failures = new ArrayList<IOException>();
        try {
            lab.stop();
        } catch (IOException e) {
            failures.add(e);
        }
        try (var tree = Files.walk(files)) {
            tree.sorted(Comparator.reverseOrder()).forEach(path -> {
                try {
                    Files.delete(path);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
        if (!failures.isEmpty()) {
            throw failures.getFirst();
        }
    }
}
