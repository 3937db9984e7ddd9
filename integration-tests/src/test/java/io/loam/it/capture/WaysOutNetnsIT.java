package io.loam.it.capture;

import static io.loam.it.bench.MeshBench.awaitValue;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.pod;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.MeshBench;
import io.loam.it.bench.PodConnection;
import io.loam.it.lab.HazardFigures;
import io.loam.lab.capture.LinkCapture;
import io.loam.lab.command.Command;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Hazards C7 and C8: what a program may try to leave its pod by, other than connecting to a service over IPv4; each
/// row
/// says what is documented for it (README, "Limits"), and looks at the link or at what the other end sees.
final class WaysOutNetnsIT {
    private static final String CALLER = "shop/caller";
    private static final String CACHE = "shop/cache";
    private static final int REDIS = 6379;
    private static final int OTHER_PORT = 17777;

    /// Asks redis whom it talks to, over a socket that is set up by the first line.
    private static final String ASK = """
            import socket, sys
            s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
            s.settimeout(3)
            %s
            s.connect((sys.argv[1], %d))
            s.sendall(b'CLIENT INFO\\r\\n')
            answer = b''
            while b'addr=' not in answer:
                part = s.recv(4096)
                if not part: raise EOFError('closed')
                answer += part
            port = answer.split(b' addr=')[1].split()[0].rsplit(b':', 1)[1]
            print('captured' if int(port) != s.getsockname()[1] else 'direct')
            """;

    /// Ends when the echo is back.
    private static final String PING = """
            import socket, struct, sys
            v6 = ':' in sys.argv[1]
            s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, 58 if v6 else 1)
            s.settimeout(5)
            kind, number = (128, 0) if v6 else (8, 0xf7fe)
            s.sendto(struct.pack('!BBHHH', kind, 0, number, 1, 0), (sys.argv[1], 0))
            while True:
                answer = s.recv(256)
                if answer[0 if v6 else 20] == (129 if v6 else 0): break
            """;

    private static MeshBench bench;

    @BeforeAll
    static void start() throws Exception {
        bench = MeshBench.start(
                "itways",
                Map.of(
                        "mesh.yaml",
                        namespace("shop", "loam.io/dataplane-mode: ambient")
                                + redis("shop", "cache", "two")
                                + pod(
                                        "shop",
                                        "other",
                                        "two",
                                        "[redis-server, --port, '" + OTHER_PORT
                                                + "', --bind, 0.0.0.0, '::', --protected-mode, 'no', --save, '']")
                                + "      readinessProbe: {tcpSocket: {port: " + OTHER_PORT + "}, periodSeconds: 1}\n"
                                + caller("shop", "caller", "one")
                                + caller("shop", "host", "one").replace("spec:\n", "spec:\n  hostNetwork: true\n")));
        bench.awaitMesh(true, CACHE, CALLER, "shop/other");
    }

    @AfterAll
    static void stop() throws IOException {
        if (bench != null) {
            bench.close();
        }
    }

    @Test
    void tcpOfBothFamiliesAndOfEveryPortIsCaptured() throws Exception {
        int captured = 0;
        for (var target : List.of(CACHE, "shop/other")) {
            for (var address : List.of(bench.ipv4(target), bench.ipv6(target))) {
                try (var connection = bench.connect(CALLER, address, target.equals(CACHE) ? REDIS : OTHER_PORT)) {
                    assertThat(connection.isCaptured()).as("%s", address).isTrue();
                    captured++;
                }
            }
        }
        HazardFigures.reached("C7", captured + " of 4 TCP connections captured: IPv4 and IPv6, two ports");
    }

    /// There is no route back to the address: had the connection gone out by itself, nothing would come back.
    @Test
    void anAddressThatIsAddedLaterIsCapturedToo() throws Exception {
        for (var address : List.of("10.99.0.1/32", "fd00:99::1/128")) {
            inside(CALLER, "ip", "address", "add", address, "dev", "lo");
            try {
                var from = address.substring(0, address.indexOf('/'));
                var to = from.contains(":") ? bench.ipv6(CACHE) : bench.ipv4(CACHE);
                assertThat(ask(CALLER, List.of(), "s.bind(('" + from + "', 0))", to))
                        .as("from %s", from)
                        .isEqualTo("captured");
            } finally {
                inside(CALLER, "ip", "address", "del", address, "dev", "lo");
            }
        }
        HazardFigures.reached("C7", "addresses added later: IPv4 and IPv6 captured");
    }

    @Test
    void aPodThatCallsItselfIsLeftAlone() throws Exception {
        for (var address : List.of(
                bench.ipv4(CACHE),
                bench.ipv6(CACHE),
                InetAddress.ofLiteral("127.0.0.1"),
                InetAddress.ofLiteral("::1"))) {
            try (var connection = bench.connect(CACHE, address, REDIS)) {
                assertThat(connection.isCaptured()).as("%s", address).isFalse();
            }
        }
        HazardFigures.reached("C7", "loopback and the pod's own addresses: 4 of 4 direct, as documented");
    }

    /// Not the mesh's to carry, and said so.
    @Test
    void udpAndIcmpPassUntouched() throws Exception {
        var marker = "udp-marker-" + System.nanoTime();
        var to = bench.ipv4(CACHE).getHostAddress();
        try (var capture = bench.captureUplink("one", "udp port 4000 or icmp")) {
            inside(CALLER, "python3", "-c", """
                    import socket, sys
                    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), (sys.argv[1], 4000))
                    """, to, marker);
            inside(CALLER, "python3", "-c", PING, to);
            inside(CALLER, "python3", "-c", PING, bench.ipv6(CACHE).getHostAddress());

            assertThat(capture.stop().containsPlaintext(marker)).isTrue();
        }
        HazardFigures.reached("C7", "UDP and ICMP pass, as documented");
    }

    /// A SYN made by hand passes the same hooks of the kernel: it is redirected into the pod, and never seen outside.
    @Test
    void aHandmadeSynDoesNotLeaveThePod() throws Exception {
        var from = bench.ipv4(CALLER).getHostAddress();
        var to = bench.ipv4(CACHE).getHostAddress();
        try (var capture = LinkCapture.start(
                bench.lab().podNetns(CALLER), "eth0", "(tcp and port 40999) or (udp and port 40999)")) {
            inside(CALLER, "python3", "-c", """
                    import socket, struct, sys
                    src, dst = socket.inet_aton(sys.argv[1]), socket.inet_aton(sys.argv[2])
                    tcp = struct.pack('!HHIIBBHHH', 40999, 6379, 1, 0, 5 << 4, 2, 1024, 0, 0)
                    pseudo = src + dst + struct.pack('!BBH', 0, 6, len(tcp)) + tcp
                    total = sum(struct.unpack('!%dH' % (len(pseudo) // 2), pseudo))
                    while total >> 16: total = (total & 0xffff) + (total >> 16)
                    tcp = tcp[:16] + struct.pack('!H', ~total & 0xffff) + tcp[18:]
                    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP).sendto(tcp, (sys.argv[2], 0))
                    # Behind it, so that the recording ends after it: this one may pass.
                    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'last', (sys.argv[2], 40999))
                    """, from, to);
            var seen = capture.stop();

            assertThat(seen.containsPlaintext("last")).isTrue();
            assertThat(seen.flowsTo(REDIS)).as("%s", seen).isEmpty();
        }
        HazardFigures.reached("C7", "raw socket: SYN redirected, 0 packets on the link");
    }

    /// Documented: never captured, so it comes without an identity.
    @Test
    void aPodInTheNodesNetworkIsNobodyOfTheMesh() throws Exception {
        var log = bench.accessLog("two");

        assertThat(askFromNode()).as("captured by the other end").isEqualTo("captured");

        var line = log.await(entry -> "inbound".equals(entry.get("direction")) && !entry.containsKey("src.identity"));
        assertThat(line.get("dst.addr")).endsWith(":" + REDIS);
        HazardFigures.reached("C7", "host network: not captured, no identity, as documented");
    }

    /// C8. The kernel lets NET_ADMIN mark sockets, and since 5.17 NET_RAW; documented, and no policy relies on it: the
    /// destination refuses what comes without an identity.
    @Test
    void theProxysMarkNeedsACapabilityAndOpensNothingThatIsStrict() throws Exception {
        var mark = "s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1337)";
        var powerless = List.of(
                "setpriv",
                "--bounding-set=-net_admin,-net_raw",
                "--inh-caps=-net_admin,-net_raw",
                "--ambient-caps=-all");

        assertThat(ask(CALLER, powerless, "pass", bench.ipv4(CACHE))).isEqualTo("captured");
        assertThat(ask(CALLER, powerless, mark, bench.ipv4(CACHE))).contains("PermissionError");
        bench.write("strict.yaml", """
                apiVersion: security.istio.io/v1
                kind: PeerAuthentication
                metadata: {name: strict, namespace: shop}
                spec: {mtls: {mode: STRICT}}
                """);
        bench.awaitReady();
        try {
            // With all capabilities of root the mark is set; what it gets around is the own side's capture only.
            awaitValue("refused with the mark", () -> {
                var said = ask(CALLER, List.of(), mark, bench.ipv4(CACHE));
                return said.contains("captured") || said.contains("direct") || said.contains("PermissionError")
                        ? Optional.empty()
                        : Optional.of(said);
            });
            try (PodConnection honest = bench.connect(CALLER, bench.ipv4(CACHE), REDIS)) {
                assertThat(honest.isCaptured()).isTrue();
            }
        } finally {
            bench.delete("strict.yaml");
            awaitValue(
                    "plaintext served again",
                    () -> askFromNode().equals("captured") ? Optional.of(true) : Optional.empty());
        }
        HazardFigures.reached(
                "C8", "SO_MARK refused without NET_ADMIN and NET_RAW; with them a STRICT destination refuses");
    }

    private static String askFromNode() throws IOException {
        return lastLine(List.of(
                "nsenter",
                "--net=" + bench.lab().nodeNetns("one"),
                "python3",
                "-c",
                ASK.formatted("pass", REDIS),
                bench.ipv4(CACHE).getHostAddress()));
    }

    /// @param privileges `setpriv` with what it takes, or empty for all of root's
    /// @return `captured`, `direct`, or the last line of what went wrong
    private static String ask(String pod, List<String> privileges, String setUp, InetAddress to) throws IOException {
        var argv = new ArrayList<>(List.of("nsenter", "--net=" + bench.lab().podNetns(pod)));
        argv.addAll(privileges);
        argv.addAll(List.of("python3", "-c", ASK.formatted(setUp, REDIS), to.getHostAddress()));
        return lastLine(argv);
    }

    private static String lastLine(List<String> argv) throws IOException {
        var result = Command.result(argv, "", Duration.ofSeconds(20));
        return result.output().strip().lines().reduce((_, last) -> last).orElse("");
    }

    private static void inside(String pod, String... command) throws IOException {
        var argv = new ArrayList<>(List.of("nsenter", "--net=" + bench.lab().podNetns(pod)));
        argv.addAll(List.of(command));
        Command.run(argv);
    }
}
