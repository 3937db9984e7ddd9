package io.loam.it.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hazard T11: the cable is pulled under load, and no FIN ever comes. Both ends find out by themselves.
final class CutLinkNetnsIT {
    private static final String CLIENT = "mesh/client";

    /// On the server's node, so it can ask the server while the link is cut.
    private static final String NEIGHBOUR = "mesh/neighbour";

    /// T11: 10 s of silence and 18 s for an answer; two seconds are for what a busy machine needs on top.
    private static final Duration DETECTED = Duration.ofSeconds(30);

    private static final Duration LOGGED = Duration.ofSeconds(5);

    /// TLS waits 3 s for its last record to leave.
    private static final Duration CLOSED = Duration.ofSeconds(6);

    @TempDir
    private Path directory;

    @Test
    void bothEndsResetWhatWasOpenAndForgetTheTunnel() throws Exception {
        try (var mesh = TunnelLab.start("cut", directory);
                var readers = Executors.newVirtualThreadPerTaskExecutor()) {
            var servers = List.of(mesh.ipv4("mesh/server"), mesh.ipv6("mesh/server"));
            var logs = List.of(mesh.accessLog("na"), mesh.accessLog("nb"));
            var connections = new ArrayList<Connection>();
            try {
                for (var server : servers) {
                    for (var how : List.of("echo", "keep", "pour", "watch")) {
                        connections.add(Connection.open(mesh, server, how));
                    }
                }
                assertThat(sockets(mesh, CLIENT, "mesh/server")).isNotEmpty();
                assertThat(sockets(mesh, "mesh/server", CLIENT)).isNotEmpty();

                mesh.lab().cut("nb");
                long cut = System.nanoTime();

                var client = connections.stream()
                        .map(connection -> connection.untilReset(readers, cut))
                        .toList();
                var server = connections.stream()
                        .filter(connection -> !connection.how.equals("echo")) // says nothing of its end
                        .map(connection -> connection.atServer(mesh, readers, cut))
                        .toList();
                for (var end : client) {
                    System.out.println("hazard T11: " + end.get());
                }
                for (var end : server) {
                    System.out.println("hazard T11: " + end.get());
                }
                for (int node = 0; node < 2; node++) {
                    var log = logs.get(node);
                    TunnelLab.await(
                            "the end of each connection in the log",
                            LOGGED,
                            () -> log.entries().stream()
                                            .filter(CutLinkNetnsIT::isLost)
                                            .count()
                                    == connections.size());
                }
                TunnelLab.await(
                        "no socket of a tunnel to the other side left",
                        CLOSED,
                        () -> sockets(mesh, CLIENT, "mesh/server").isEmpty()
                                && sockets(mesh, "mesh/server", CLIENT).isEmpty());
            } finally {
                mesh.lab().heal("nb");
                connections.forEach(connection -> connection.process.destroyForcibly());
            }
            for (var server : servers) {
                mesh.call(CLIENT, "finish-first", server, TunnelLab.PEER, 1000, "healed-" + server.getHostAddress());
            }
        }
    }

    private static boolean isLost(Map<String, String> line) {
        return "client".equals(line.get("src.workload")) && line.get("error") != null;
    }

    /// Whatever state they are in, also those that only the kernel still knows.
    private static List<String> sockets(TunnelLab mesh, String of, String to) throws IOException {
        var ipv4 = mesh.ipv4(to).getHostAddress();
        var ipv6 = mesh.ipv6(to).getHostAddress();
        var peer = "dst %s or dst [::ffff:%s] or dst [%s]".formatted(ipv4, ipv4, ipv6);
        return TunnelLab.inNetns(mesh.lab().podNetns(of), "ss", "-Htan", peer)
                .lines()
                .filter(line -> line.contains(":" + TunnelLab.HBONE))
                .toList();
    }

    private record Connection(Process process, BufferedReader said, InetAddress server, String how, String key) {
        static Connection open(TunnelLab mesh, InetAddress server, String how) throws IOException {
            var key = how + "-" + server.getHostAddress();
            var process = mesh.start(CLIENT, "caller.py", "until-reset", server, TunnelLab.PEER, how, key);
            var said = process.inputReader();
            assertThat(said.readLine()).as("%s", key).isEqualTo("open");
            return new Connection(process, said, server, how, key);
        }

        CompletableFuture<String> untilReset(ExecutorService readers, long cut) {
            return CompletableFuture.supplyAsync(
                            () -> {
                                try {
                                    return said.readLine();
                                } catch (IOException e) {
                                    return e.toString();
                                }
                            },
                            readers)
                    .orTimeout(DETECTED.toMillis(), TimeUnit.MILLISECONDS)
                    .exceptionally(late -> late.toString())
                    .thenApply(line -> reset("client", line, cut));
        }

        CompletableFuture<String> atServer(TunnelLab mesh, ExecutorService readers, long cut) {
            return CompletableFuture.supplyAsync(
                            () -> {
                                try {
                                    return mesh.call(NEIGHBOUR, "result", server, TunnelLab.PEER, key);
                                } catch (IOException e) {
                                    return e.toString();
                                }
                            },
                            readers)
                    .orTimeout(DETECTED.toMillis(), TimeUnit.MILLISECONDS)
                    .exceptionally(late -> late.toString())
                    .thenApply(line -> reset("server", line, cut));
        }

        private String reset(String end, String said, long cut) {
            long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - cut);
            assertThat(said).as("%s of %s after %d ms", end, key, millis).isEqualTo("reset");
            return "%s of %s: reset %d ms after the cut".formatted(end, key, millis);
        }
    }
}
