package io.loam.lab.bench.topology;

import io.loam.lab.Lab;
import io.loam.lab.bench.load.LoadProcess;
import io.loam.lab.bench.topology.Candidate.Pods;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The lab everything is measured in: two nodes, and for each candidate a client pod on the first and a server pod on
/// the
/// second. Every server pod runs the same nginx and iperf3.
public final class BenchLab implements AutoCloseable {
    public static final int HTTP_PORT = 80;
    public static final int IPERF_PORT = 5201;

    public static final String CLIENT_NODE = "alder";
    public static final String SERVER_NODE = "birch";

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
    public static BenchLab start(String name, Path work) throws IOException {
        var files = Files.createDirectories(work.resolve("lab"));
        var nginx = Files.writeString(work.resolve("nginx.conf").toAbsolutePath(), nginx());
        Files.writeString(files.resolve("bench.yaml"), topology(nginx));
        var bench = new BenchLab(Lab.start(name, List.of(files)));
        try {
            bench.lab.awaitReady(READY_TIMEOUT);
            bench.addCandidates(work);
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
        absent.put("other", "LOAM_BENCH_PROXY names no other node proxy");
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

    private static String topology(Path nginx) {
        var yaml = new StringBuilder();
        for (var node : List.of(CLIENT_NODE, SERVER_NODE)) {
            yaml.append("""
                    apiVersion: v1
                    kind: Node
                    metadata: {name: %s, labels: {topology.kubernetes.io/zone: %s}}
                    ---
                    """.formatted(node, node));
        }
        for (var namespace : List.of("direct", "loam", "haproxy")) {
            yaml.append("""
                    apiVersion: v1
                    kind: Namespace
                    metadata: {name: %1$s, labels: {%2$s}}
                    ---
                    """.formatted(namespace, namespace.equals("loam") ? "loam.io/dataplane-mode: ambient" : ""));
            for (var client : List.of("client", "neighbour")) {
                yaml.append(pod(namespace, client, CLIENT_NODE, """
                            - {name: shell, command: [sleep, infinity]}
                        """));
            }
            yaml.append(pod(namespace, "neighbours-server", SERVER_NODE, """
                        - name: iperf3
                          command: [iperf3, --server, --port, "%d"]
                    """.formatted(IPERF_PORT)));
            yaml.append(pod(namespace, "server", SERVER_NODE, """
                        - name: nginx
                          command: [/bin/sh, -c, "exec nginx -p \\"$PWD\\" -e stderr -c %s"]
                          readinessProbe: {tcpSocket: {port: %d}, periodSeconds: 1}
                        - name: iperf3
                          command: [iperf3, --server, --port, "%d"]
                    """.formatted(nginx, HTTP_PORT, IPERF_PORT)));
        }
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

    /// One worker, so that the target takes the same share of the machine for every candidate. The answer to CONNECT is
    /// for the candidate whose client asks for a tunnel.
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
