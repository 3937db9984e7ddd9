package io.loam.lab.bench.topology;

import io.loam.lab.Lab;
import io.loam.lab.command.Command;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// Two HAProxy processes, one in the client's pod and one in the server's, where our agents have their sockets too:
/// packets take the same way through both pairs.
///
/// As tunnel in TLS: what the client pod opens is redirected to the first one, as we capture it. HAProxy finds the
/// original destination by itself; `server 0.0.0.0:+10000` is "there, 10000 ports up", where the second one answers,
/// which takes them off again. TLS 1.3 only, mutual, cipher as ours; sessions are resumed, as HAProxy does by
/// default; 64 KiB buffers.
///
/// As HTTP/2 CONNECT: HAProxy makes no CONNECT out of captured bytes and takes none apart, so the client has to ask for
/// the tunnel, and the target to end it. Only our own client and target ([io.loam.lab.bench.load.ConnectTarget]) can.
final class HaproxyPair implements AutoCloseable {
    static final int CONNECT_PORT = 15002;

    /// Where the server's HAProxy looks for the end of tunnels.
    static final int CONNECT_TARGET_PORT = 15004;

    private static final int CAPTURE_PORT = 15001;
    private static final int PORT_SHIFT = 10_000;
    private static final int H2_PORT = 15443;

    private static final String COMMON = """
            global
                tune.bufsize 65536
                tune.h2.initial-window-size 4194304
                ssl-default-bind-options ssl-min-ver TLSv1.3
                ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
                ssl-default-server-options ssl-min-ver TLSv1.3
                ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
            defaults
                timeout connect 5s
                timeout client 1h
                timeout server 1h
                timeout tunnel 1h
            """;

    private final List<Process> processes = new ArrayList<>();

    private HaproxyPair() {}

    /// @param client and `server`: pods outside of the mesh
    /// @param ports of the targets
    static HaproxyPair start(Lab lab, String client, String server, List<Integer> ports, Path directory)
            throws IOException {
        Files.createDirectories(directory);
        var certificates = ProxyCertificates.mint(directory);
        var serverAddress = BenchLab.ipv4(lab, server);
        var pair = new HaproxyPair();
        try {
            pair.run(lab, server, directory.resolve("server"), atServer(certificates, ports));
            pair.run(lab, client, directory.resolve("client"), atClient(certificates, serverAddress));
            var rules = Command.result(
                    List.of("nsenter", "--net=" + lab.podNetns(client), "nft", "-f", "-"),
                    capture(serverAddress, ports),
                    Duration.ofSeconds(10));
            if (rules.exitCode() != 0) { // its rows would be those of no proxy
                throw new IOException(
                        "nothing is redirected to HAProxy: " + rules.output().strip());
            }
            return pair;
        } catch (IOException | RuntimeException e) {
            pair.close();
            throw e;
        }
    }

    private static String atClient(ProxyCertificates certificates, InetAddress server) {
        var tls = "ssl crt %s ca-file %s verify required".formatted(certificates.client(), certificates.roots());
        return COMMON
                + """
                listen captured
                    mode tcp
                    bind 127.0.0.1:%d
                    server peer 0.0.0.0:+%d %s
                listen asked
                    mode http
                    bind 127.0.0.1:%d
                    http-reuse always
                    server peer %s:%d %s alpn h2
                """.formatted(CAPTURE_PORT, PORT_SHIFT, tls, CONNECT_PORT, server.getHostAddress(), H2_PORT, tls);
    }

    private static String atServer(ProxyCertificates certificates, List<Integer> ports) {
        var tls = "ssl crt %s ca-file %s verify required".formatted(certificates.server(), certificates.roots());
        var config = new StringBuilder(COMMON).append("listen tunnels\n    mode tcp\n");
        for (int port : ports) {
            config.append("    bind :%d %s\n".formatted(port + PORT_SHIFT, tls));
        }
        config.append("    server app 127.0.0.1:-%d\n".formatted(PORT_SHIFT));
        config.append("""
                listen connect
                    mode http
                    bind :%d %s alpn h2
                    server app 127.0.0.1:%d
                """.formatted(H2_PORT, tls, CONNECT_TARGET_PORT));
        return config.toString();
    }

    private static String capture(InetAddress server, List<Integer> ports) {
        return """
                table ip bench {
                    chain output {
                        type nat hook output priority -100
                        ip daddr %s tcp dport { %s } redirect to :%d
                    }
                }
                """.formatted(
                        server.getHostAddress(),
                        String.join(", ", ports.stream().map(String::valueOf).toList()),
                        CAPTURE_PORT);
    }

    private void run(Lab lab, String pod, Path base, String config) throws IOException {
        var file = Files.writeString(Path.of(base + ".cfg"), config);
        var command = new ArrayList<>(lab.enter(pod)); // a chain of exec: the process becomes HAProxy
        command.addAll(List.of("haproxy", "-db", "-f", file.toString()));
        processes.add(new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(Redirect.to(Path.of(base + ".log").toFile()))
                .start());
    }

    /// The client's first.
    List<Long> pids() throws IOException {
        for (var process : processes) {
            if (!process.isAlive()) {
                throw new IOException("HAProxy ended with " + process.exitValue());
            }
        }
        return processes.reversed().stream().map(Process::pid).toList(); // the server's was started first
    }

    @Override
    public void close() {
        for (var process : processes) {
            process.destroy();
            try {
                if (!process.waitFor(2, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                }
            } catch (InterruptedException e) {
                process.destroyForcibly();
                Thread.currentThread().interrupt();
            }
        }
    }
}
