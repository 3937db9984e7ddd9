package io.loam.it.dns;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.MeshBench;
import io.loam.it.dns.QueryLoad.Question;
import io.loam.it.dns.QueryLoad.Sample;
import io.loam.it.lab.HazardFigures;
import io.loam.lab.Lab;
import io.loam.lab.command.Command;
import io.loam.model.address.IpBits;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.NetnsThread;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The DNS proxy as programs meet it (wire reference, section 9): unmodified ones, in pods, with the
/// resolv.conf of a cluster. Who is asked where nobody answers is 203.0.113.66, an address of a network that
/// the lab's outside has.
class DnsProxyNetnsIT {
    private static final Duration START = Duration.ofSeconds(60);

    /// Routed to the outside, and nobody has it.
    private static final String NOBODY = "203.0.113.66";

    /// Issue 4: what a node has to answer.
    private static final int QUERIES_PER_SECOND = 5_000;

    /// Of the tests in which agents come and go. The full figures: `-Dloam.dns.rate=500 -Dloam.dns.kills=12
    /// -Dloam.dns.upgrades=20`.
    private static final int RATE = Integer.getInteger("loam.dns.rate", 100);

    private static final int KILLS = Integer.getInteger("loam.dns.kills", 1);
    private static final int UPGRADES = Integer.getInteger("loam.dns.upgrades", 2);

    @TempDir
    private static Path directory;

    private static Lab lab;

    @BeforeAll
    static void start() throws IOException {
        var program = directory.resolve("resolver.py");
        try (var source = DnsProxyNetnsIT.class.getResourceAsStream("resolver.py")) {
            Files.write(program, source.readAllBytes());
        }
        var files = Files.createDirectory(directory.resolve("files"));
        Files.writeString(files.resolve("lab.yaml"), YAML.replace("PROGRAM", program.toString()));
        lab = Lab.start("dns" + ProcessHandle.current().pid() % 100_000, List.of(files));
        lab.awaitReady(START);
        assertThat(lab.problems()).isEmpty();
        assertThat(lab.pod("client").redirected()).isTrue();
    }

    @AfterAll
    static void stop() throws IOException {
        if (lab != null) {
            lab.close();
        }
    }

    @Test
    void programsResolveServicesByEveryFormOfTheirName() throws IOException {
        double before = metric("istio_dns_requests_total", "");
        for (var name : List.of("web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local", "WEB.shop")) {
            assertThat(run("getent", "ahostsv4", name)).as(name).startsWith("10.96.7.1 ");
        }
        assertThat(run("getent", "ahostsv6", "web")).startsWith("fd00:96::701 ");
        assertThat(run(
                        "python3",
                        "-c",
                        "import socket; print(sorted({a[4][0] for a in socket.getaddrinfo('web', 80)}))"))
                .isEqualTo("['10.96.7.1', 'fd00:96::701']\n");
        assertThat(run("curl", "-sS", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "http://web/"))
                .isEqualTo("200");
        assertThat(metric("istio_dns_requests_total", "")).isGreaterThanOrEqualTo(before + 10);
    }

    /// The headless service's own name is all of its pods, the name of one pod is that pod.
    @Test
    void podsOfAHeadlessServiceHaveNames() throws IOException {
        assertThat(dig("db.shop.svc.cluster.local", "A").lines())
                .containsExactlyInAnyOrder(ipv4("db-0"), ipv4("db-1"), ipv4("db-2"));
        assertThat(dig("db-1.db.shop.svc.cluster.local", "A")).isEqualTo(ipv4("db-1") + "\n");
        assertThat(run("getent", "ahostsv4", "db-0.db")).startsWith(ipv4("db-0") + " ");
    }

    /// The pod's `hostname` is known to the cluster's name server alone, which is whom this pod's resolv.conf
    /// names.
    @Test
    void otherNamesAreAskedOfThePodsOwnResolver() throws IOException {
        assertThat(run("getent", "ahostsv4", "other.db")).startsWith(ipv4("db-2") + " ");
        assertThat(status("no-such-name.shop.svc.cluster.local", "A")).isEqualTo("NXDOMAIN");
    }

    /// Whoever is asked is asked by the pod: its address, its network.
    @Test
    void aQueryGoesToWhomTheProgramAskedAndLeavesAsThePods() throws IOException {
        for (var family : List.of(4, 6)) {
            var resolver = family == 4 ? ipv4("names") : ipv6("names");
            var own = family == 4 ? ipv4("client") : ipv6("client");
            assertThat(dig("whoami.example.com", "TXT", "@" + resolver)).isEqualTo("\"" + own + " udp\"\n");
            assertThat(dig("whoami.example.com", "TXT", "+tcp", "@" + resolver)).isEqualTo("\"" + own + " tcp\"\n");
        }
        assertThat(dig("www.example.com", "A", "@" + ipv4("names"))).isEqualTo("198.51.100.7\n");
        assertThat(status("www.example.com", "AAAA", "@" + ipv4("names"))).isEqualTo("NOERROR");
        assertThat(status("www.example.org", "A", "@" + ipv4("names"))).isEqualTo("NXDOMAIN");
    }

    @Test
    void aTruncatedAnswerIsAskedForAgainOverTcp() throws IOException {
        var lines = dig("large.example.com", "TXT", "@" + ipv4("names")).lines().toList();

        assertThat(lines).hasSize(12).allMatch(line -> line.equals("\"" + "x".repeat(250) + "\""));
    }

    @Test
    void aKnownNameWithoutAddressOfTheFamilyIsNotDenied() throws IOException {
        assertThat(status("only4.shop.svc.cluster.local", "AAAA")).isEqualTo("NOERROR");
        assertThat(dig("only4.shop.svc.cluster.local", "AAAA")).isEmpty();
        assertThat(status("only4.shop.svc.cluster.local", "TYPE65", "@" + ipv4("names")))
                .as("asked of a resolver that denies all of it")
                .isEqualTo("NOERROR");
    }

    /// With the resolver down, names of the mesh are answered and others fail: in 4 s where it is silent, at
    /// once where its host says so.
    @Test
    void aResolverThatIsDownCostsAnAnswerAndNothingElse() throws IOException {
        assertThat(dig("web.shop.svc.cluster.local", "A", "@" + NOBODY)).isEqualTo("10.96.7.1\n");
        assertThat(dig("web.shop.svc.cluster.local", "A", "+tcp", "@" + NOBODY)).isEqualTo("10.96.7.1\n");

        var silent = query("silent.example.com", "A", "@" + ipv4("names"));
        var refused = query("www.example.com", "A", "@" + ipv4("web"));
        var refusedOverTcp = query("www.example.com", "A", "+tcp", "@" + ipv4("web"));
        var closed = query("silent.example.com", "A", "+tcp", "@" + ipv4("names"));

        System.out.printf(
                "dns: SERVFAIL after %d ms (silent), %d ms (nobody listens)%n", silent.millis, refused.millis);
        assertThat(silent.status).isEqualTo("SERVFAIL");
        assertThat(refused.status).isEqualTo("SERVFAIL");
        assertThat(refusedOverTcp.status).isEqualTo("SERVFAIL");
        assertThat(closed.status).as("closed without an answer").isEqualTo("SERVFAIL");
        // The C library waits 5 s. How much of that a busy machine takes for itself is in the figure, not held here.
        assertThat(silent.millis).as("the resolver had its time").isGreaterThan(3_900);
        assertThat(refused.millis).as("nobody was waited for").isLessThan(3_900);
        assertThat(metric("loam_dns_refused_total", "reason=\"timeout\"")).isPositive();
        assertThat(metric("loam_dns_refused_total", "reason=\"unreachable\"")).isPositive();
    }

    /// Hazard P4: queries wait in the sockets that the privileged half keeps, over both transports and both
    /// families. Only what the agent had in hand when it was killed is lost.
    @Test
    void queriesThatComeWhileTheAgentIsDeadAreAnsweredByTheNextOne() throws Exception {
        var deaths = new ArrayList<Death>();
        List<Sample> samples;
        try (var load = QueryLoad.start(lab.podNetns("client"), questions("www.example.com"), RATE)) {
            for (int i = 0; i < KILLS; i++) {
                load.awaitAnswerTo(System.nanoTime() + TimeUnit.SECONDS.toNanos(1));
                var agent = lab.agent("na");
                long killed = System.nanoTime();
                agent.destroyForcibly();
                agent.onExit().get(10, TimeUnit.SECONDS);
                var death = new Death(killed, System.nanoTime());
                deaths.add(death);
                load.awaitAnswerTo(death.gone);
                load.awaitAnswerTo(System.nanoTime());
                load.giveUpBefore(death.gone); // it had them in hand
            }
            samples = load.stop();
        }
        var failed = failed(samples);
        var lost = failed.stream()
                .filter(sample -> deaths.stream().noneMatch(death -> death.cut(sample)))
                .toList();
        var waited = samples.stream()
                .filter(sample -> deaths.stream().anyMatch(death -> death.cameBeforeTheNext(sample)))
                .count();
        HazardFigures.reached(
                "P4",
                "agent killed %d times at %d DNS queries/s: %d queries, %d of them within 100 ms after its end, %d lost, %d cut that it had in hand, delay p99 %d ms, longest %d ms"
                        .formatted(
                                KILLS,
                                RATE,
                                samples.size(),
                                waited,
                                lost.size(),
                                failed.size() - lost.size(),
                                percentile(samples, 0.99),
                                percentile(samples, 1)));
        assertThat(lost).isEmpty();
        lab.awaitReady(START);
    }

    /// Hazard P1: agents replaced beside each other, each with another number of event loops, so that the
    /// sockets are shared out again. What the old one has passed on to a resolver that takes a second, it
    /// answers before it ends.
    @Test
    void anUpgradeLosesNoQuery() throws Exception {
        List<Sample> samples;
        try (var load = QueryLoad.start(lab.podNetns("client"), questions("slow.example.com"), RATE)) {
            load.awaitAnswerTo(System.nanoTime() + TimeUnit.SECONDS.toNanos(1));
            for (int i = UPGRADES; i > 0; i--) {
                var before = lab.agent("na");
                lab.replaceAgent("na", Map.of("ZTUNNEL_WORKER_THREADS", i % 2 == 0 ? "1" : "2"));
                assertThat(lab.agent("na").pid()).isNotEqualTo(before.pid());
                load.awaitAnswerTo(System.nanoTime());
                before.onExit().get(START.toSeconds(), TimeUnit.SECONDS);
            }
            samples = load.stop();
        }
        var failed = failed(samples);
        HazardFigures.reached(
                "P1",
                "%d agents replaced at %d DNS queries/s, a quarter of them in hand for 1 s: %d queries, %d lost, delay p99 %d ms, longest %d ms"
                        .formatted(
                                UPGRADES,
                                RATE,
                                samples.size(),
                                failed.size(),
                                percentile(samples, 0.99),
                                percentile(samples, 1)));
        assertThat(failed).isEmpty();
        lab.awaitReady(START);
    }

    /// Names of the mesh and one that a resolver is asked for, over UDP and TCP, of resolvers of both families.
    private static List<Question> questions(String forwarded) {
        var questions = new ArrayList<Question>();
        for (var names : List.of(ipv4("names"), ipv6("names"))) {
            var resolver = new InetSocketAddress(InetAddress.ofLiteral(names), 53);
            questions.add(new Question("web.shop.svc.cluster.local", resolver, false));
            questions.add(new Question(forwarded, resolver, false));
            questions.add(new Question("web.shop.svc.cluster.local", resolver, true));
            questions.add(new Question("www.example.com", resolver, false));
        }
        return questions;
    }

    private static List<Sample> failed(List<Sample> samples) {
        return samples.stream().filter(sample -> sample.failure() != null).toList();
    }

    private static long percentile(List<Sample> samples, double share) {
        var sorted = samples.stream().map(Sample::delay).sorted().toList();
        return sorted.get((int) Math.min(sorted.size() - 1L, Math.round(share * sorted.size())))
                .toMillis();
    }

    /// Of an agent. Times are those of nanoTime.
    private record Death(long killed, long gone) {
        /// Whether the agent may have had the query in hand.
        boolean cut(Sample sample) {
            return sample.begun() - gone <= 0 && sample.done() - killed >= 0;
        }

        /// Within the tenth of a second that the lab waits before it starts the next one.
        boolean cameBeforeTheNext(Sample sample) {
            return sample.begun() - gone > 0 && sample.begun() - gone < TimeUnit.MILLISECONDS.toNanos(100);
        }
    }

    @Test
    void bytesThatAreNoQueryDisturbNobody() throws Exception {
        double before = metric("loam_dns_refused_total", "reason=\"malformed\"");

        run("python3", "-c", """
                import os, socket
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                for i in range(200):
                    s.sendto(b'\\0\\1\\1\\0' + os.urandom(i % 60), ('10.96.0.10', 53))
                t = socket.create_connection(('10.96.0.10', 53))
                t.sendall(b'\\0\\3GET')
                t.settimeout(5)
                assert t.recv(10) == b''
                """);

        // Datagrams are still being read when the program that sent them has ended.
        MeshBench.await(
                "refusals counted", () -> metric("loam_dns_refused_total", "reason=\"malformed\"") > before + 100);
        assertThat(run("getent", "ahostsv4", "web")).startsWith("10.96.7.1 ");
    }

    /// Wire reference, 1.4.
    @Test
    void aPodThatDoesNotWantItAsksItsResolverItself() throws IOException {
        var nobody = lab.exec("own", "dig", "+tries=1", "+time=1", "@" + NOBODY, "web.shop.svc.cluster.local", "A");
        assertThat(nobody.exitCode()).as(nobody.output()).isEqualTo(9); // dig(1): no reply from server

        assertThat(lab.exec("own", "getent", "ahostsv4", "web").output()).startsWith("10.96.7.1 ");
        assertThat(lab.pod("own").redirected()).isTrue();
    }

    /// Of the mesh's own names, from one pod, over UDP, while the rest of the machine does what it does: the
    /// best of some seconds counts.
    @Test
    void aNodeAnswersFiveThousandQueriesPerSecond() throws Exception {
        double best = 0;
        for (int round = 0; round < 6 && best < QUERIES_PER_SECOND; round++) {
            best = Math.max(best, queriesPerSecond(TimeUnit.SECONDS.toNanos(2)));
        }
        System.out.printf("dns: %.0f queries per second from one pod%n", best);
        assertThat(best).isGreaterThanOrEqualTo(QUERIES_PER_SECOND);
    }

    /// Eight programs with 16 queries under way each; a query that is lost is not missed.
    private static double queriesPerSecond(long durationNanos) throws Exception {
        var query = message("web.shop.svc.cluster.local");
        var sockets = new ArrayList<DatagramChannel>();
        try (var netns = Netns.open(lab.podNetns("client"));
                var inside = NetnsThread.start(netns, "dns-load");
                var selector = Selector.open()) {
            for (int i = 0; i < 8; i++) {
                var socket = inside.submit(DatagramChannel::open).get();
                sockets.add(socket);
                socket.connect(new InetSocketAddress(InetAddress.ofLiteral(NOBODY), 53));
                socket.configureBlocking(false);
                socket.register(selector, SelectionKey.OP_READ);
                for (int sent = 0; sent < 16; sent++) {
                    socket.write(query.duplicate());
                }
            }
            var buffer = ByteBuffer.allocate(512);
            long answered = 0;
            long started = System.nanoTime();
            while (System.nanoTime() - started < durationNanos) {
                if (selector.select(100) == 0) {
                    for (var socket : sockets) {
                        socket.write(query.duplicate());
                    }
                }
                for (var key : selector.selectedKeys()) {
                    var socket = (DatagramChannel) key.channel();
                    while (socket.read(buffer.clear()) > 0) {
                        assertThat(buffer.getShort(6)).as("answers").isEqualTo((short) 1);
                        answered++;
                        socket.write(query.duplicate());
                    }
                }
                selector.selectedKeys().clear();
            }
            return answered * 1e9 / (System.nanoTime() - started);
        } finally {
            for (var socket : sockets) {
                socket.close();
            }
        }
    }

    private static ByteBuffer message(String name) {
        var message = ByteBuffer.allocate(512);
        message.putShort((short) 7).putShort((short) 0x0100).putShort((short) 1).position(12);
        for (var label : name.split("\\.")) {
            message.put((byte) label.length()).put(label.getBytes(StandardCharsets.US_ASCII));
        }
        return message.put((byte) 0).putShort((short) 1).putShort((short) 1).flip();
    }

    /// What dig saw.
    private record Seen(String status, int millis) {}

    /// Runs a program in the client's pod, which must succeed.
    private static String run(String... command) throws IOException {
        var result = lab.exec("client", command);
        assertThat(result.exitCode())
                .as("%s: %s", List.of(command), result.output())
                .isZero();
        return result.output();
    }

    private static String dig(String... arguments) throws IOException {
        var command = new ArrayList<>(List.of("dig", "+short", "+tries=1", "+time=20"));
        command.addAll(List.of(arguments));
        return run(command.toArray(String[]::new));
    }

    private static String status(String... arguments) throws IOException {
        return query(arguments).status;
    }

    private static Seen query(String... arguments) throws IOException {
        var command = new ArrayList<>(List.of("dig", "+tries=1", "+time=20"));
        command.addAll(List.of(arguments));
        var output = run(command.toArray(String[]::new));
        return new Seen(after(output, "status: ", ','), Integer.parseInt(after(output, "Query time: ", ' ')));
    }

    private static String after(String output, String words, char end) {
        int at = output.indexOf(words);
        assertThat(at).as(output).isPositive();
        return output.substring(at + words.length(), output.indexOf(end, at + words.length()));
    }

    /// The sum of the series of the client's node whose labels contain a text.
    private static double metric(String name, String label) throws IOException {
        var page = Command.run(List.of(
                "nsenter", "--net=" + lab.nodeNetns("na"), "curl", "-sS", "-m", "5", "http://127.0.0.1:15020/metrics"));
        return page.lines()
                .filter(line -> line.startsWith(name + "{") && line.contains(label))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    private static String ipv4(String pod) {
        return address(pod, true);
    }

    private static String ipv6(String pod) {
        return address(pod, false);
    }

    private static String address(String pod, boolean v4) {
        return lab.pod(pod).ips().stream()
                .filter(ip -> ip instanceof Inet4Address == v4)
                .map(ip -> IpBits.of(ip).toString())
                .findFirst()
                .orElseThrow();
    }

    private static final String YAML = """
            {apiVersion: v1, kind: Node, metadata: {name: na}}
            ---
            {apiVersion: v1, kind: Node, metadata: {name: nb}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {loam.io/dataplane-mode: ambient}}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: outside}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: client, namespace: shop}
            spec: {nodeName: na, containers: [{name: main, command: [sleep, infinity]}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: own, namespace: shop, annotations: {ambient.istio.io/dns-capture: "false"}}
            spec: {nodeName: na, containers: [{name: main, command: [sleep, infinity]}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: web, namespace: shop, labels: {app: web}}
            spec:
              nodeName: nb
              containers:
                - name: main
                  command: [python3, -m, http.server, "8000", --bind, "::"]
                  readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: db-0, namespace: shop, labels: {app: db}}
            spec: {nodeName: nb, subdomain: db, containers: [{name: main, command: [sleep, infinity]}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: db-1, namespace: shop, labels: {app: db}}
            spec: {nodeName: nb, subdomain: db, containers: [{name: main, command: [sleep, infinity]}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: db-2, namespace: shop, labels: {app: db}}
            spec: {nodeName: nb, hostname: other, subdomain: db, containers: [{name: main, command: [sleep, infinity]}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: names, namespace: outside}
            spec:
              nodeName: nb
              containers:
                - name: main
                  command: [python3, PROGRAM]
                  readinessProbe: {tcpSocket: {port: 53}, periodSeconds: 1}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: shop}
            spec:
              selector: {app: web}
              ipFamilyPolicy: RequireDualStack
              clusterIPs: [10.96.7.1, "fd00:96::701"]
              ports: [{port: 80, targetPort: 8000}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: only4, namespace: shop}
            spec: {selector: {app: web}, clusterIP: 10.96.7.2, ports: [{port: 80, targetPort: 8000}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: db, namespace: shop}
            spec:
              selector: {app: db}
              clusterIP: None
              ports: [{port: 5432}]
            """;
}
