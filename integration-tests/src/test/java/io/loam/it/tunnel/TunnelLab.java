package io.loam.it.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.lab.Lab;
import io.loam.lab.accesslog.AgentLog;
import io.loam.lab.capture.LinkCapture;
import io.loam.lab.command.Command;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// A lab of two nodes for the tests of this package: `client`, `twin-a` and `twin-b` (one account) on `na`, `server`,
/// `neighbour` and `cold` on `nb`, all of namespace `mesh`; `plain/outsider` on `na` and `plain/stranger` on `nb` are
/// not in the mesh. What runs in the pods is in the resources beside this class.
final class TunnelLab implements AutoCloseable {
    static final int HBONE = 15008;

    /// Of peer.py.
    static final int PEER = 8080;

    static final int NGINX = 8081;

    /// socat around sha256sum: answers when the request has ended.
    static final int HASH = 8083;

    /// socat around cat: greets before it is asked.
    static final int GREETING = 8084;

    /// Of crowd.py.
    static final int CROWD = 8090;

    static final int REDIS = 6379;
    static final int IPERF = 5201;
    static final InetAddress OUTSIDE_V4 = InetAddress.ofLiteral("203.0.113.1");
    static final InetAddress OUTSIDE_V6 = InetAddress.ofLiteral("2001:db8:113::1");

    private static final Duration START = Duration.ofSeconds(60);
    private static final Duration POLL = Duration.ofMillis(20);

    private final Lab lab;
    private final Path directory;

    private TunnelLab(Lab lab, Path directory) {
        this.lab = lab;
        this.directory = directory;
    }

    /// @param kind distinguishes labs that exist at the same time; up to four letters
    static TunnelLab start(String kind, Path directory) throws IOException {
        for (var program : List.of("peer.py", "caller.py", "crowd.py")) {
            try (var source = TunnelLab.class.getResourceAsStream(program)) {
                Files.write(directory.resolve(program), source.readAllBytes());
            }
        }
        Files.writeString(directory.resolve("nginx.conf"), NGINX_CONF.replace("DIR", directory.toString()));
        var files = Files.createDirectory(directory.resolve("files"));
        Files.writeString(files.resolve("mesh.yaml"), YAML.replace("DIR", directory.toString()));
        var name = kind + ProcessHandle.current().pid() % 100_000;
        var lab = Lab.start(name, List.of(files));
        try {
            assertThat(lab.problems()).isEmpty();
            lab.awaitReady(START);
            var started = new TunnelLab(lab, directory);
            await(
                    "every pod of the mesh captured",
                    START,
                    () -> lab.pods().stream()
                            .filter(pod -> pod.namespace().equals("mesh"))
                            .allMatch(pod -> pod.redirected()));
            lab.awaitReady(START); // the agents know of it, too
            return started;
        } catch (IOException | RuntimeException | AssertionError e) {
            lab.close();
            throw e;
        }
    }

    Lab lab() {
        return lab;
    }

    Path directory() {
        return directory;
    }

    Inet4Address ipv4(String pod) {
        return (Inet4Address) lab.pod(pod).ips().stream()
                .filter(Inet4Address.class::isInstance)
                .findFirst()
                .orElseThrow();
    }

    Inet6Address ipv6(String pod) {
        return (Inet6Address) lab.pod(pod).ips().stream()
                .filter(Inet6Address.class::isInstance)
                .findFirst()
                .orElseThrow();
    }

    /// Runs a program in a pod to its end.
    Command.Result run(String pod, Duration timeout, String... command) throws IOException {
        return Command.result(inPod(pod, command), "", timeout);
    }

    /// A shell line in a pod, which must succeed.
    String shell(String pod, String line) throws IOException {
        var result = run(pod, Duration.ofMinutes(1), "bash", "-c", "set -o pipefail; " + line);
        assertThat(result.exitCode())
                .as("%s in %s: %s", line, pod, result.output())
                .isZero();
        return result.output().strip();
    }

    /// caller.py in a pod: checks every byte itself.
    String call(String pod, Object... arguments) throws IOException {
        return call(pod, Duration.ofMinutes(3), arguments);
    }

    String call(String pod, Duration timeout, Object... arguments) throws IOException {
        return program(pod, timeout, "caller.py", arguments);
    }

    String crowd(String pod, Duration timeout, Object... arguments) throws IOException {
        return program(pod, timeout, "crowd.py", arguments);
    }

    private String program(String pod, Duration timeout, String program, Object... arguments) throws IOException {
        var command = pythonProgram(program, arguments);
        var result = run(pod, timeout, command.toArray(String[]::new));
        assertThat(result.exitCode())
                .as(() ->
                        "%s %s in %s: %s%s".formatted(program, List.of(arguments), pod, result.output(), lastErrors()))
                .isZero();
        return result.output().strip();
    }

    /// What the agents said last about connections that failed, for a person who looks for the reason.
    private String lastErrors() {
        var errors = new StringBuilder();
        for (var node : List.of("na", "nb")) {
            try {
                var lines = Files.readAllLines(lab.agentLog(node)).stream()
                        .filter(line -> line.contains(" error=") || line.contains("WARN") || line.contains("ERROR"))
                        .toList();
                lines.subList(Math.max(0, lines.size() - 8), lines.size())
                        .forEach(line ->
                                errors.append(node).append(": ").append(line).append('\n'));
            } catch (IOException e) {
                errors.append(node).append(": ").append(e).append('\n');
            }
        }
        return errors.toString();
    }

    /// Starts a program of the resources in a pod; its output goes to the caller.
    Process start(String pod, String program, Object... arguments) throws IOException {
        var command = pythonProgram(program, arguments);
        return new ProcessBuilder(inPod(pod, command.toArray(String[]::new)))
                .redirectErrorStream(true)
                .start();
    }

    private List<String> pythonProgram(String program, Object... arguments) {
        var command = new ArrayList<>(
                List.of("/usr/bin/env", "python3", directory.resolve(program).toString()));
        for (var argument : arguments) {
            command.add(argument instanceof InetAddress address ? address.getHostAddress() : argument.toString());
        }
        return command;
    }

    private List<String> inPod(String pod, String... command) {
        var argv = new ArrayList<>(lab.enter(pod));
        argv.addAll(List.of(command));
        return argv;
    }

    LinkCapture captureNode(String node, String filter) throws IOException, InterruptedException {
        return LinkCapture.start(lab.nodeNetns(node), "eth0", filter);
    }

    LinkCapture capturePod(String pod, String filter) throws IOException, InterruptedException {
        return LinkCapture.start(lab.podNetns(pod), "eth0", filter);
    }

    /// TCP connections that were begun inside the pod's namespace since it was made, its agent's included.
    long opened(String pod) throws IOException {
        return activeOpens(inNetns(lab.podNetns(pod), "cat", "/proc/net/snmp"));
    }

    /// @param snmp what the kernel says in `/proc/net/snmp`
    static long activeOpens(String snmp) {
        return snmp.lines()
                .filter(line -> line.startsWith("Tcp: ") && !line.contains("ActiveOpens"))
                .mapToLong(line -> Long.parseLong(line.split(" ")[5]))
                .findFirst()
                .orElseThrow();
    }

    static String inNetns(Path netns, String... command) throws IOException {
        var argv = new ArrayList<>(List.of("nsenter", "--net=" + netns));
        argv.addAll(List.of(command));
        return Command.run(argv);
    }

    /// Open files of a node's agent.
    long descriptors(String node) throws IOException {
        try (var files =
                Files.list(Path.of("/proc", Long.toString(lab.agent(node).pid()), "fd"))) {
            return files.count();
        }
    }

    /// Connections that a node's agent has open.
    long openConnections(String node) throws IOException {
        var listed = lab.askAgent(node, "GET", "/connections").body();
        return listed.split("\"direction\"", -1).length - 1L;
    }

    /// Resident memory of a node's agent in MiB.
    long residentMib(String node) throws IOException {
        return Files.readAllLines(Path.of("/proc", Long.toString(lab.agent(node).pid()), "status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) / 1024)
                .findFirst()
                .orElseThrow();
    }

    /// What the node's agent writes into its access log from now on.
    AgentLog accessLog(String node) throws IOException {
        return AgentLog.fromNow(lab.agentLog(node));
    }

    /// A condition may throw what looking at files and processes throws.
    @FunctionalInterface
    interface Condition {
        boolean holds() throws IOException;
    }

    static void await(String what, Duration atMost, Condition condition) throws IOException {
        long deadline = System.nanoTime() + atMost.toNanos();
        while (!condition.holds()) {
            assertThat(System.nanoTime() - deadline)
                    .as("%s within %s", what, atMost)
                    .isNegative();
            try {
                Thread.sleep(POLL);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
    }

    @Override
    public void close() throws IOException {
        lab.close();
    }

    private static final String NGINX_CONF = """
            daemon off; user root; worker_processes 1; error_log /dev/null; pid DIR/nginx.pid;
            events { worker_connections 512; }
            http {
              access_log off;
              client_body_temp_path DIR/nginx-body; proxy_temp_path DIR/nginx-proxy;
              fastcgi_temp_path DIR/nginx-fastcgi; uwsgi_temp_path DIR/nginx-uwsgi;
              scgi_temp_path DIR/nginx-scgi;
              server {
                listen 8081; listen [::]:8081; root DIR/www;
                location = /whoami { return 200 $remote_addr; }
              }
            }
            """;

    private static final String YAML = """
            {apiVersion: v1, kind: Node, metadata: {name: na}}
            ---
            {apiVersion: v1, kind: Node, metadata: {name: nb}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: mesh, labels: {loam.io/dataplane-mode: ambient}}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: plain}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: client, namespace: mesh}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: twin, namespace: mesh}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: server, namespace: mesh}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: neighbour, namespace: mesh}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: cold, namespace: mesh}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: client, namespace: mesh}
            spec:
              nodeName: na
              serviceAccountName: client
              containers: [{name: main, command: [sleep, infinity]}]
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: twin-a, namespace: mesh}
            spec:
              nodeName: na
              serviceAccountName: twin
              containers: [{name: main, command: [sleep, infinity]}]
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: twin-b, namespace: mesh}
            spec:
              nodeName: na
              serviceAccountName: twin
              containers: [{name: main, command: [sleep, infinity]}]
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: neighbour, namespace: mesh}
            spec:
              nodeName: nb
              serviceAccountName: neighbour
              containers:
                - {name: main, command: [python3, DIR/peer.py, "8080"], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: cold, namespace: mesh}
            spec:
              nodeName: nb
              serviceAccountName: cold
              containers:
                - {name: crowd, command: [python3, DIR/crowd.py, serve, "8090"], readinessProbe: {tcpSocket: {port: 8090}, periodSeconds: 1}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: outsider, namespace: plain}
            spec:
              nodeName: na
              containers:
                - {name: main, command: [python3, DIR/peer.py, "8080"], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: stranger, namespace: plain}
            spec:
              nodeName: nb
              containers:
                - {name: main, command: [python3, DIR/peer.py, "8080"], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: server, namespace: mesh, labels: {app: server}}
            spec:
              nodeName: nb
              serviceAccountName: server
              containers:
                - name: peer
                  command: [python3, DIR/peer.py, "8080"]
                  ports: [{name: peer, containerPort: 8080}]
                  readinessProbe: {tcpSocket: {port: peer}, periodSeconds: 1}
                - name: crowd
                  command: [python3, DIR/crowd.py, serve, "8090"]
                  readinessProbe: {tcpSocket: {port: 8090}, periodSeconds: 1}
                - name: nginx
                  command: [nginx, -c, DIR/nginx.conf]
                  readinessProbe: {tcpSocket: {port: 8081}, periodSeconds: 1}
                - name: hash
                  command: [socat, "TCP6-LISTEN:8083,fork,reuseaddr,ipv6-v6only=0", "SYSTEM:sha256sum"]
                  readinessProbe: {tcpSocket: {port: 8083}, periodSeconds: 1}
                - name: greeting
                  command: [socat, "TCP6-LISTEN:8084,fork,reuseaddr,ipv6-v6only=0", "SYSTEM:echo 220 ready; cat"]
                  readinessProbe: {tcpSocket: {port: 8084}, periodSeconds: 1}
                - name: redis
                  command: [redis-server, --port, "6379", --bind, 0.0.0.0, "::", --protected-mode, "no", --save, ""]
                  readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
                - name: iperf
                  command: [iperf3, --server]
                  readinessProbe: {tcpSocket: {port: 5201}, periodSeconds: 1}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: server, namespace: mesh}
            spec:
              selector: {app: server}
              ipFamilyPolicy: RequireDualStack
              clusterIPs: [10.96.1.1, "fd00:96::101"]
              ports:
                - {name: peer, port: 80, targetPort: peer}
                - {name: web, port: 81, targetPort: 8081}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: direct, namespace: mesh}
            spec:
              selector: {app: server}
              clusterIP: None
              ipFamilyPolicy: RequireDualStack
              ports: [{name: peer, port: 8080, targetPort: peer}]
            """;
}
