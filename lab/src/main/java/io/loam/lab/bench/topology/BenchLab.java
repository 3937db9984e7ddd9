package io.loam.lab.bench.topology;

import io.loam.lab.Lab;
import io.loam.lab.bench.load.LoadProcess;
import io.loam.lab.bench.topology.Candidate.Pods;
import io.loam.lab.node.AgentSetup;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The lab everything is measured in: two nodes, and for each candidate a client pod on the first and a server pod on
/// the
/// second. Every server pod runs the same nginx and iperf3.
public final class BenchLab implements AutoCloseable {
    public static final int HTTP_PORT = 80;
    public static final int IPERF_PORT = 5201;

    public static final String CLIENT_NODE = "alder";
    public static final String SERVER_NODE = "birch";

    private static final String OTHER_CLIENT_NODE = "cedar";
    private static final String OTHER_SERVER_NODE = "dogwood";

    private static final List<String> NAMESPACES = List.of("direct", "loam", "haproxy");
    private static final Set<String> IN_THE_MESH = Set.of("loam", "other");

    private static final Duration POLL = Duration.ofMillis(20);

    /// A proxy that needs longer would be no match.
    private static final Duration OTHER_TIMEOUT = Duration.ofSeconds(20);

    private static final Duration READY_TIMEOUT = Duration.ofSeconds(60);

    /// Small: what a call between services carries.
    private static final int ANSWER_BYTES = 1024;

    private final Lab lab;
    private final List<Candidate> candidates = new ArrayList<>();
    private final Map<String, String> absent = new LinkedHashMap<>();
    private final List<AutoCloseable> opened = new ArrayList<>();

    private BenchLab(Lab lab) {
        this.lab = lab;
    }

    /// @param name of the lab
    /// @param work where its files go
    /// @param agentOptions of our agents' JVM besides its own
    /// @param other another node proxy that speaks the same wire, as [AgentSetup] says; null for none
    public static BenchLab start(String name, Path work, List<String> agentOptions, @Nullable Path other)
            throws IOException {
        if (!isInstalled("nginx")) { // the target of all
            throw new IOException("nginx is not installed (Debian package nginx-light)");
        }
        if (!isInstalled("iperf3")) {
            throw new IOException("iperf3 is not installed (Debian package iperf3)");
        }
        var files = Files.createDirectories(work.resolve("lab"));
        var nginx = Files.writeString(work.resolve("nginx.conf").toAbsolutePath(), nginx());
        Files.writeString(
                files.resolve("bench.yaml"),
                nodes(CLIENT_NODE, SERVER_NODE)
                        + NAMESPACES.stream()
                                .map(namespace -> pods(namespace, CLIENT_NODE, SERVER_NODE, nginx))
                                .collect(Collectors.joining()));
        var programs =
                other == null ? Map.<String, Path>of() : Map.of(OTHER_CLIENT_NODE, other, OTHER_SERVER_NODE, other);
        var setup = new AgentSetup(Map.of(), agentOptions, programs);
        var bench = new BenchLab(Lab.start(name, List.of(files), setup));
        try {
            bench.lab.awaitReady(READY_TIMEOUT);
            bench.addCandidates(work);
            bench.addOther(other, files.resolve("other.yaml"), nginx);
            return bench;
        } catch (IOException | RuntimeException e) {
            bench.close();
            throw e;
        }
    }

    private void addCandidates(Path work) throws IOException {
        candidates.add(new Candidate("direct", "no proxy", Pods.of("direct"), List::of, false, Optional.empty()));
        var agents = new AgentPair(CLIENT_NODE, SERVER_NODE, "loam/client");
        candidates.add(new Candidate(
                "loam",
                "two node agents, HTTP/2 CONNECT in mutual TLS 1.3",
                Pods.of("loam"),
                () -> agents.pids(lab),
                false,
                Optional.of(agents)));
        if (!isInstalled("haproxy")) {
            absent.put("haproxy", "haproxy is not installed (Debian package haproxy)");
            absent.put("haproxy-h2", "haproxy is not installed (Debian package haproxy)");
        } else {
            addHaproxy(work);
        }
    }

    /// On two nodes of its own, which join the running lab; where it does not get ready they leave it again.
    private void addOther(@Nullable Path program, Path file, Path nginx) throws IOException {
        if (program == null) {
            absent.put("other", "LOAM_BENCH_PROXY names no other node proxy");
            return;
        }
        if (!Files.isRegularFile(program) || !Files.isExecutable(program)) {
            absent.put("other", "LOAM_BENCH_PROXY: " + program + " is no executable file");
            return;
        }
        Files.writeString(
                file,
                nodes(OTHER_CLIENT_NODE, OTHER_SERVER_NODE)
                        + pods("other", OTHER_CLIENT_NODE, OTHER_SERVER_NODE, nginx));
        try {
            awaitOther(true);
            lab.awaitReady(OTHER_TIMEOUT);
            var agents = new AgentPair(OTHER_CLIENT_NODE, OTHER_SERVER_NODE, "other/client");
            agents.pids(lab);
            candidates.add(new Candidate(
                    "other",
                    "two node proxies that LOAM_BENCH_PROXY names: " + program,
                    Pods.of("other"),
                    () -> agents.pids(lab),
                    false,
                    Optional.of(agents)));
        } catch (IOException e) {
            absent.put("other", "LOAM_BENCH_PROXY: %s did not get ready: %s".formatted(program, otherSaid(e)));
            Files.delete(file);
            awaitOther(false);
            lab.awaitReady(READY_TIMEOUT);
        }
    }

    /// The program's last words tell more than what the lab saw of it.
    private String otherSaid(IOException otherwise) throws IOException {
        var log = lab.agentLog(OTHER_CLIENT_NODE);
        var said = Files.exists(log) ? Files.readString(log, StandardCharsets.ISO_8859_1) : "";
        var lastLine = said.lines().filter(line -> !line.isBlank()).reduce((_, last) -> last);
        if (lastLine.isPresent()) {
            return "its last line is: " + lastLine.get();
        }
        try {
            lab.agent(OTHER_CLIENT_NODE);
            return String.valueOf(otherwise.getMessage());
        } catch (IllegalStateException _) {
            return "it ends each time it is started, and says nothing";
        }
    }

    /// The lab looks at its files in its own time.
    private void awaitOther(boolean present) throws IOException {
        long deadline = System.nanoTime() + READY_TIMEOUT.toNanos();
        while (lab.pods().stream().anyMatch(pod -> pod.namespace().equals("other")) != present) {
            if (System.nanoTime() - deadline > 0) {
                throw new IOException("the lab did not take note of the other proxy's nodes");
            }
            try {
                Thread.sleep(POLL);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
    }

    private void addHaproxy(Path work) throws IOException {
        var pods = Pods.ofOneProxyEach("haproxy");
        var pair = HaproxyPair.start(
                lab, pods.client(), pods.server(), List.of(HTTP_PORT, IPERF_PORT), work.resolve("haproxy"));
        opened.add(pair);
        candidates.add(new Candidate(
                "haproxy",
                "two HAProxy, TCP in mutual TLS 1.3, sessions resumed, 64 KiB buffers",
                pods,
                pair::pids,
                false,
                Optional.empty()));
        try {
            var target = LoadProcess.startConnectTarget(
                    lab.enter(pods.server()), HaproxyPair.CONNECT_TARGET_PORT, ANSWER_BYTES, work.resolve("load.log"));
            opened.add(target::destroyForcibly);
            var authority = ipv4(lab, pods.server()).getHostAddress() + ":" + HTTP_PORT;
            TunnelProof.require(lab.podNetns(pods.client()), HaproxyPair.CONNECT_PORT, authority);
        } catch (IOException e) {
            absent.put("haproxy-h2", String.valueOf(e.getMessage()));
            return;
        }
        candidates.add(new Candidate(
                "haproxy-h2",
                "the same two, HTTP/2 CONNECT; new connections only, as it takes a client that asks for the tunnel",
                pods,
                pair::pids,
                true,
                Optional.empty()));
    }

    public Lab lab() {
        return lab;
    }

    public List<Candidate> candidates() {
        return candidates;
    }

    /// Name → why it is not there.
    public Map<String, String> absent() {
        return absent;
    }

    public InetAddress address(String pod) {
        return ipv4(lab, pod);
    }

    /// Where a client that asks for tunnels finds its proxy.
    public int connectPort() {
        return HaproxyPair.CONNECT_PORT;
    }

    static InetAddress ipv4(Lab lab, String pod) {
        return lab.pod(pod).ips().stream()
                .filter(Inet4Address.class::isInstance)
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("pod " + pod + " has no IPv4 address"));
    }

    private static boolean isInstalled(String program) {
        return List.of("/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin").stream()
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
    }

    private static String nodes(String... names) {
        var yaml = new StringBuilder();
        for (var node : names) {
            yaml.append("""
                    apiVersion: v1
                    kind: Node
                    metadata: {name: %1$s, labels: {topology.kubernetes.io/zone: %1$s}}
                    ---
                    """.formatted(node));
        }
        return yaml.toString();
    }

    private static String pods(String namespace, String clientNode, String serverNode, Path nginx) {
        var labels = IN_THE_MESH.contains(namespace) ? "loam.io/dataplane-mode: ambient" : "";
        var yaml = new StringBuilder("""
                apiVersion: v1
                kind: Namespace
                metadata: {name: %s, labels: {%s}}
                ---
                """.formatted(namespace, labels));
        for (var client : List.of("client", "neighbour")) {
            yaml.append(pod(namespace, client, clientNode, """
                        - {name: shell, command: [sleep, infinity]}
                    """));
        }
        yaml.append(pod(namespace, "neighbours-server", serverNode, """
                    - name: iperf3
                      command: [iperf3, --server, --port, "%d"]
                """.formatted(IPERF_PORT)));
        yaml.append(pod(namespace, "server", serverNode, """
                    - name: nginx
                      command: [/bin/sh, -c, "exec nginx -p \\"$PWD\\" -e stderr -c %s"]
                      readinessProbe: {tcpSocket: {port: %d}, periodSeconds: 1}
                    - name: iperf3
                      command: [iperf3, --server, --port, "%d"]
                """.formatted(nginx, HTTP_PORT, IPERF_PORT)));
        return yaml.toString();
    }

    private static String pod(String namespace, String name, String node, String containers) {
        return """
                apiVersion: v1
                kind: ServiceAccount
                metadata: {name: %2$s, namespace: %1$s}
                ---
                apiVersion: v1
                kind: Pod
                metadata: {name: %2$s, namespace: %1$s}
                spec:
                  serviceAccountName: %2$s
                  nodeSelector: {topology.kubernetes.io/zone: %3$s}
                  containers:
                %4$s---
                """.formatted(namespace, name, node, containers.indent(0));
    }

    /// One worker, so that the target takes the same share of the machine for every candidate.
    private static String nginx() {
        return """
                daemon off;
                user root;
                worker_processes 1;
                worker_rlimit_nofile 65536;
                pid nginx.pid;
                error_log stderr crit;
                events { worker_connections 30000; }
                http {
                    access_log off;
                    keepalive_timeout 1h;
                    keepalive_requests 1000000000;
                    client_header_timeout 1h;
                    server {
                        listen %d backlog=4096;
                        location / { default_type text/plain; return 200 "%s"; }
                    }
                }
                """.formatted(HTTP_PORT, "x".repeat(ANSWER_BYTES));
    }

    @Override
    public void close() throws IOException {
        for (var part : opened.reversed()) {
            try {
                part.close();
            } catch (Exception e) { // declared by AutoCloseable; none of ours throws a checked one
                throw new IOException(e);
            }
        }
        lab.stop();
    }
}
