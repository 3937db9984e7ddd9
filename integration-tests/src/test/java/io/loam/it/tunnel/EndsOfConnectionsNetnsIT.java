package io.loam.it.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// How connections end, through two real agents: a FIN is a FIN and a RST a RST at the other end, in either
/// direction, behind every byte that was sent before it.
final class EndsOfConnectionsNetnsIT {
    private static final String CLIENT = "mesh/client";
    private static final int MIB = 1 << 20;
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    /// Hazard T10 asks for 10,000; that took 37 s on two busy cores.
    private static final int BULKS = Integer.getInteger("loam.it.t10.bulks", 600);

    /// Hazard T10 asks for 60 s between the FIN and the answer.
    private static final int PAUSE_SECONDS = Integer.getInteger("loam.it.t10.pause", 3);

    /// How long the kernel remembers a connection with one FIN that says nothing. Where that is short, a short pause
    /// shows what otherwise takes a minute.
    private static final String KERNELS_PATIENCE = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait";

    @TempDir
    private static Path directory;

    private static TunnelLab mesh;
    private static List<InetAddress> servers;

    @BeforeAll
    static void start() throws IOException {
        mesh = TunnelLab.start("end", directory);
        servers = List.of(mesh.ipv4("mesh/server"), mesh.ipv6("mesh/server"));
    }

    @AfterAll
    static void stop() throws IOException {
        if (mesh != null) {
            mesh.close();
        }
    }

    /// sha256sum answers when its input ends, nc ends its output when its input ends: neither is ours.
    @Test
    void anAnswerComesAfterTheEndOfTheRequest() throws IOException {
        for (var server : servers) {
            var wanted = mesh.shell(CLIENT, "seq 300000 | sha256sum");
            assertThat(mesh.shell(
                            CLIENT, "seq 300000 | timeout 30 nc -N " + server.getHostAddress() + " " + TunnelLab.HASH))
                    .isEqualTo(wanted);
        }
    }

    @Test
    void theServerMayEndItsDirectionFirst() throws IOException {
        for (var server : servers) {
            mesh.call(CLIENT, "finish-first", server, TunnelLab.PEER, MIB, "first-" + server.getHostAddress());
        }
    }

    @Test
    void whatWasSentBeforeACloseArrives() throws IOException {
        for (var server : servers) {
            for (var bytes : List.of(1, 100_000, 4 * MIB)) {
                mesh.call(
                        CLIENT,
                        "close-at-once",
                        server,
                        TunnelLab.PEER,
                        bytes,
                        "close-" + bytes + "-" + server.getHostAddress());
            }
        }
    }

    @Test
    void aResetIsAResetAtTheOtherEnd() throws IOException {
        for (var server : servers) {
            mesh.call(CLIENT, "client-resets", server, TunnelLab.PEER, "reset-" + server.getHostAddress());
            assertThat(mesh.call(CLIENT, "server-resets", server, TunnelLab.PEER))
                    .isEqualTo("reset");
        }
    }

    /// Hazard T10, first half: FIN from either side, a pause, and the other direction is still open: through the
    /// tunnel, from outside of the mesh and to outside of it. All at once, since each of them does nothing.
    @Test
    void theOtherDirectionStaysOpenAfterAPause() throws Exception {
        var paths = List.of(
                new HalfClosed(CLIENT, "mesh/server"),
                new HalfClosed("plain/outsider", "mesh/server"),
                new HalfClosed(CLIENT, "plain/stranger"));
        for (var pod : List.of(CLIENT, "mesh/server")) {
            TunnelLab.inNetns(mesh.lab().podNetns(pod), "sh", "-c", "echo 1 >" + KERNELS_PATIENCE);
        }
        try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
            var calls = paths.stream()
                    .flatMap(path -> path.calls().stream())
                    .map(callers::submit)
                    .toList();
            for (var call : calls) {
                System.out.println("hazard T10: pause of " + PAUSE_SECONDS + " s after FIN: " + call.get());
            }
        }
    }

    /// Hazard P1: an agent that ends says GOAWAY twice (RFC 9113, 6.8). Between the two its peers may open
    /// streams, so a tunnel without a stream is no reason to be gone before the second one.
    @Test
    void anAgentThatDrainsServesATunnelUntilItsPeerWasTold() throws Exception {
        try (var peer = new HostilePeer(mesh);
                var tunnel = peer.open(true)) {
            var agent = mesh.lab().agent("nb");
            agent.destroy();
            assertThat(tunnel.goAwayWithin(PATIENCE)).isEqualTo(Integer.MAX_VALUE);
            assertThat(tunnel.goAwayWithin(PATIENCE)).isZero();
            agent.onExit().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        }
        mesh.lab().awaitReady(PATIENCE);
    }

    private record HalfClosed(String from, String to) {
        /// The caller ends first, then the called; IPv4, then IPv6.
        List<Callable<String>> calls() {
            return Stream.of(mesh.ipv4(to), mesh.ipv6(to))
                    .flatMap(address -> Stream.<Callable<String>>of(
                            () -> call("talk", address, MIB, MIB, PAUSE_SECONDS, MIB, "pause"),
                            () -> call("finish-first", address, MIB, key(address), PAUSE_SECONDS)))
                    .toList();
        }

        private String call(String how, InetAddress address, Object... arguments) throws IOException {
            var words = new ArrayList<Object>(List.of(how, address, TunnelLab.PEER));
            words.addAll(List.of(arguments));
            var said = mesh.call(from, Duration.ofSeconds(PAUSE_SECONDS + 60L), words.toArray());
            return from + " to " + to + " " + address.getHostAddress() + ", " + how + ": " + said;
        }

        private String key(InetAddress address) {
            return "pause-" + from + "-" + address.getHostAddress();
        }
    }

    /// Hazard T10, second half: bulk and FIN, then eight bytes and the close of the server come together. Sixteen at
    /// once on one tunnel, each 25th above the stream's window of 4 MiB, so that windows are full.
    @Test
    void anAnswerThatComesWithTheCloseIsNotLost() throws IOException {
        var said = mesh.call(
                CLIENT,
                Duration.ofMinutes(15),
                "short",
                servers.getFirst(),
                TunnelLab.PEER,
                BULKS,
                16,
                128 << 10,
                5 * MIB,
                25);
        System.out.println("hazard T10: " + said);
    }
}
