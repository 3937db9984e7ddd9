package io.loam.it.policy;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.pod;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.Load;
import io.loam.it.bench.MeshBench;
import io.loam.it.bench.PodConnection;
import io.loam.it.lab.HazardFigures;
import io.loam.lab.capture.LinkCapture;
import io.loam.lab.command.Command;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// First policies from file to refusal: four callers ask one redis, three of them from the mesh (alice on the
/// other node and bob on the same, carol from another namespace) and a stranger from outside.
final class PolicyNetnsIT {
    private static final String POLICY = "policy.yaml";
    private static final String CACHE = "shop/cache";
    private static final List<String> CALLERS = List.of("shop/alice", "shop/bob", "other/carol", "outside/stranger");
    private static final int REDIS = 6379;

    /// Hazard I16 says 100: `-Dloam.it.policyFlips=100`, a minute. The few here take 6 s.
    private static final int FLIPS = Integer.getInteger("loam.it.policyFlips", 10);

    private static MeshBench bench;

    @BeforeAll
    static void start() throws Exception {
        var ambient = "loam.io/dataplane-mode: ambient";
        bench = MeshBench.start(
                "itpolicy",
                Map.of(
                        "namespaces.yaml",
                        namespace("shop", ambient) + namespace("other", ambient) + namespace("outside", ""),
                        "pods.yaml",
                        redis("shop", "cache", "two")
                                + caller("shop", "alice", "one")
                                + caller("shop", "bob", "two")
                                + caller("other", "carol", "one")
                                + caller("outside", "stranger", "one")));
        bench.awaitMesh(true, CACHE, "shop/alice", "shop/bob", "other/carol");
    }

    @AfterAll
    static void stop() throws IOException {
        if (bench != null) {
            bench.close();
        }
    }

    @AfterEach
    void withoutPolicy() throws Exception {
        Files.deleteIfExists(bench.file(POLICY));
        Files.deleteIfExists(bench.file("more.yaml"));
        awaitDenied(bench.ipv4(CACHE));
    }

    @ParameterizedTest(name = "{0} in {1} for {2}, {3}: denies {4}")
    @CsvSource(
            delimiter = '|',
            value = {
                "DENY  | shop        | app: cache | from: [{source: {principals: [cluster.local/ns/shop/sa/alice]}}] | shop/alice",
                "ALLOW | shop        |            | from: [{source: {principals: [cluster.local/ns/shop/sa/alice]}}] | shop/bob other/carol outside/stranger",
                "DENY  | loam-system |            | from: [{source: {namespaces: [other]}}]                          | other/carol",
                "ALLOW | shop        | app: cache | from: [{source: {namespaces: [shop]}}]                           | other/carol outside/stranger",
                "DENY  | shop        |            | to: [{operation: {ports: ['6379']}}]                             | shop/alice shop/bob other/carol outside/stranger",
                "DENY  | shop        |            | to: [{operation: {ports: ['6380']}}]                             | -",
                "ALLOW | loam-system |            | to: [{operation: {ports: ['6380']}}]                             | shop/alice shop/bob other/carol outside/stranger",
                "ALLOW | loam-system |            | from: [{source: {ipBlocks: [10.244.1.0/24]}}]                    | shop/bob",
                "DENY  | shop        | app: cache | from: [{source: {ipBlocks: [10.244.1.0/24]}}]                    | shop/alice other/carol outside/stranger",
                "DENY  | shop        | app: other | from: [{source: {namespaces: [other]}}]                          | -",
                "DENY  | other       |            | from: [{source: {namespaces: [other]}}]                          | -",
                "ALLOW | shop        |            | from: [{source: {principals: ['*/sa/bob', 'cluster.local/ns/other/*']}}] | shop/alice outside/stranger",
                "DENY  | shop        | app: cache | from: [{source: {notNamespaces: [shop]}}]                        | other/carol outside/stranger",
                "DENY  | shop        | app: cache | from: [{source: {notIpBlocks: [10.244.0.0/16]}}]                 | -",
                "DENY  | shop        | app: cache | when: [{key: source.serviceAccount, values: [alice, other/carol]}] | shop/alice other/carol",
                "ALLOW | shop        | app: cache | to: [{operation: {methods: [GET]}}]                              | shop/alice shop/bob other/carol outside/stranger",
                "DENY  | shop        | app: cache | '{from: [{source: {notPrincipals: [\"*\"]}}], to: [{operation: {paths: [/x], ports: [\"6379\"]}}]}' | outside/stranger",
            })
    void authorizationPoliciesDecide(String action, String scope, String selector, String rule, String denied)
            throws Exception {
        var inbound = bench.accessLog("two");
        var outbound = bench.accessLog("one");

        bench.write(POLICY, policy("watchman", action, scope, selector, rule));
        bench.awaitReady(); // the agents have confirmed it

        var expected = denied.equals("-") ? new String[0] : denied.split(" ");
        awaitDenied(bench.ipv4(CACHE), expected);
        // The policy may have come between a caller's connect and its request, which cuts instead of refusing.
        awaitDenied(bench.ipv4(CACHE), expected);
        var cause = action.equals("DENY") ? "denied by " + scope + "/watchman" : "allow policies matched";
        for (var caller : expected) {
            var address = bench.ipv4(caller).getHostAddress() + ":";
            var refused = inbound.await(line -> "inbound".equals(line.get("direction"))
                    && line.getOrDefault("src.addr", "").startsWith(address)
                    && "POLICY_DENIED".equals(line.get("code")));
            assertThat(refused.get("error")).contains(cause);
        }
        if (List.of(expected).contains("shop/alice")) {
            var refused = outbound.await(line -> "outbound".equals(line.get("direction"))
                    && "spiffe://cluster.local/ns/shop/sa/alice".equals(line.get("src.identity"))
                    && "PEER_DENIED".equals(line.get("code"))); // one may have been cut instead, see above
            assertThat(refused.get("error")).startsWith("peer answered 401: a policy over there");
        }
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            value = {
                "mesh STRICT                       | loam-system:STRICT                        | outside/stranger",
                "namespace STRICT                  | shop:STRICT                               | outside/stranger",
                "workload STRICT                   | shop:STRICT:cache                         | outside/stranger",
                "another workload STRICT           | shop:STRICT:nobody                        | -",
                "namespace PERMISSIVE over mesh    | loam-system:STRICT shop:PERMISSIVE        | -",
                "workload PERMISSIVE over mesh     | loam-system:STRICT shop:PERMISSIVE:cache  | -",
                "workload STRICT over namespace    | shop:PERMISSIVE shop:STRICT:cache         | outside/stranger",
                "workload DISABLE over mesh        | loam-system:STRICT shop:DISABLE:cache     | -",
                "workload UNSET inherits           | shop:STRICT shop:UNSET:cache              | outside/stranger",
                "port DISABLE                      | shop:STRICT:cache:6379=DISABLE            | -",
                "another port DISABLE              | shop:STRICT:cache:6380=DISABLE            | outside/stranger",
                "port STRICT                       | shop:PERMISSIVE:cache:6379=STRICT         | outside/stranger",
                "another port STRICT               | shop:PERMISSIVE:cache:6380=STRICT         | -",
            })
    void peerAuthenticationDecides(String name, String objects, String denied) throws Exception {
        var yaml = new StringBuilder();
        int number = 0;
        for (var object : objects.split(" ")) {
            var parts = object.split(":");
            yaml.append(peerAuthentication(
                    "pa-" + number++,
                    parts[0],
                    parts[1] + (parts.length > 3 ? "}\n  portLevelMtls: {" + port(parts[3]) : ""),
                    parts.length > 2 ? "app: " + parts[2] : ""));
        }

        bench.write(POLICY, yaml.toString());
        bench.awaitReady();

        var expected = denied.equals("-") ? new String[0] : denied.split(" ");
        awaitDenied(bench.ipv4(CACHE), expected);
        awaitDenied(bench.ipv6(CACHE), expected);
    }

    /// `6379=STRICT` as it stands in `portLevelMtls`.
    private static String port(String setting) {
        return setting.replace("=", ": {mode: ") + "}";
    }

    /// What a dry-run policy would do is logged and counted; new connections are served, open ones go on.
    /// Without the annotation the same policy cuts them.
    @Test
    void aDryRunPolicyOnlySaysWhatItWouldDo() throws Exception {
        var inbound = bench.accessLog("two");
        var trial = policy("trial", "DENY", "shop", "app: cache", "from: [{source: {namespaces: [shop]}}]");
        try (var open = bench.connect("shop/alice", bench.ipv4(CACHE), REDIS)) {
            assertThat(open.isAlive()).isTrue();

            bench.write(
                    POLICY,
                    trial.replace("namespace: shop}", "namespace: shop, annotations: {istio.io/dry-run: 'true'}}"));

            var alice = bench.ipv4("shop/alice").getHostAddress() + ":";
            var served = MeshBench.awaitValue("a verdict of the dry run", () -> {
                assertThat(isServed("shop/alice", bench.ipv4(CACHE))).isTrue();
                return inbound.find(line -> line.containsKey("dry_run")
                        && "inbound".equals(line.get("direction"))
                        && line.getOrDefault("src.addr", "").startsWith(alice));
            });
            awaitDenied(bench.ipv4(CACHE));
            assertThat(served.get("dry_run")).isEqualTo("would be denied by shop/trial rule 0");
            assertThat(served).doesNotContainKey("code");
            assertThat(bench.metrics("two"))
                    .containsPattern("loam_policy_dry_run_total\\{policy=\"shop/trial\",verdict=\"deny\"} [1-9]");
            var carol = bench.ipv4("other/carol").getHostAddress() + ":";
            assertThat(inbound.await(line -> line.getOrDefault("src.addr", "").startsWith(carol)))
                    .doesNotContainKey("dry_run");
            assertThat(open.isAlive()).isTrue();

            bench.write(POLICY, trial);

            assertThat(open.isCutWithin(5000)).isTrue();
            var cut = inbound.await(line -> "POLICY_CHANGED".equals(line.get("code"))
                    && line.getOrDefault("src.addr", "").startsWith(alice));
            assertThat(cut.get("error"))
                    .isEqualTo("connection closed due to policy change: denied by shop/trial rule 0");
            awaitDenied(bench.ipv4(CACHE), "shop/alice", "shop/bob");
        }
    }

    @Test
    void aPolicyCutsTheOpenConnectionsItDeniesAndNoOther() throws Exception {
        try (var load = Load.start(bench.lab().podNetns("shop/bob"), bench.ipv4(CACHE), 2, "steady");
                var bob = bench.connect("shop/bob", bench.ipv6(CACHE), REDIS);
                var carol = bench.connect("other/carol", bench.ipv4(CACHE), REDIS)) {
            long slowest = 0;
            for (int flip = 0; flip < FLIPS; flip++) {
                try (var alice = bench.connect("shop/alice", bench.ipv4(CACHE), REDIS)) {
                    assertThat(alice.isAlive()).isTrue();

                    bench.write(
                            POLICY,
                            policy(
                                    "no-alice",
                                    "DENY",
                                    "shop",
                                    "app: cache",
                                    "from: [{source: {principals: [cluster.local/ns/shop/sa/alice]}}]"));
                    long written = System.nanoTime();

                    assertThat(alice.isCutWithin(5000)).as("flip %d", flip).isTrue();
                    slowest = Math.max(slowest, System.nanoTime() - written);
                }
                assertThat(bob.isAlive()).isTrue();
                assertThat(carol.isAlive()).isTrue();
                bench.delete(POLICY);
                awaitDenied(bench.ipv4(CACHE));
            }
            load.stop();
            System.out.printf(
                    "hazard I16: %d of %d denied connections cut, the slowest %d ms after the file was written; "
                            + "%d of %d requests of others failed%n",
                    FLIPS, FLIPS, slowest / 1_000_000, load.failures().size(), load.succeeded());
            assertThat(load.failures()).isEmpty();
            // The file is read when it has been quiet for 100 ms; the hazard's second begins after that.
            assertThat(Duration.ofNanos(slowest)).isLessThan(Duration.ofMillis(1500));
        }
    }

    /// Hazard C9, first half: probes reach pods that take nothing but mutual TLS, new ones and running ones.
    @Test
    void probesPassUnderStrict() throws Exception {
        bench.write(POLICY, peerAuthentication("strict", "loam-system", "STRICT", ""));
        bench.awaitReady();
        awaitDenied(bench.ipv4(CACHE), "outside/stranger");

        var http = "[/usr/bin/python3, -u, -m, http.server, '8000']";
        bench.write(
                "more.yaml",
                pod("shop", "by-http", "one", http)
                        + "      readinessProbe: {httpGet: {path: /, port: 8000}, periodSeconds: 1}\n"
                        + "      livenessProbe: {httpGet: {path: /, port: 8000}, periodSeconds: 1}\n"
                        + pod("shop", "by-tcp", "two", http)
                        + "      readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}\n"
                        + pod("shop", "by-exec", "one", "[sleep, infinity]")
                        + "      readinessProbe: {exec: {command: [/bin/true]}, periodSeconds: 1}\n");

        await(
                "pods with probes ready",
                () -> bench.lab().pods().stream()
                                .filter(one -> one.name().startsWith("by-") && one.ready() && one.redirected())
                                .count()
                        == 3);
        await(
                "further probes",
                () -> Files.readString(bench.lab().log("shop/by-http", "main"))
                                .lines()
                                .filter(line -> line.contains("GET / "))
                                .count()
                        >= 5);
        assertThat(bench.lab().pod("shop/by-http").ready()).isTrue();
        assertThat(bench.lab().pod(CACHE).ready()).isTrue();
    }

    /// Hazard C9, second half: the address that probes come from opens nothing for another pod.
    @ParameterizedTest
    @CsvSource({
        "outside/stranger,169.254.7.127",
        "shop/bob,169.254.7.127",
        "shop/bob,fd16:9254:7127:1337:ffff:ffff:ffff:ffff"
    })
    void theAddressOfProbesOpensNothingForOtherPods(String imitator, String address) throws Exception {
        var v6 = address.contains(":");
        var target = v6 ? bench.ipv6("shop/alice") : bench.ipv4("shop/alice");
        var victim = imitator.equals("shop/bob") ? CACHE : "shop/alice";
        var to = victim.equals(CACHE) ? (v6 ? bench.ipv6(CACHE) : bench.ipv4(CACHE)) : target;
        inside(imitator, "ip", "address", "add", address + (v6 ? "/128" : "/32"), "dev", "lo");
        // No proxy is asked: its packets look like those of the kernel's own probes.
        try (var capture =
                LinkCapture.start(bench.lab().podNetns(victim), "eth0", "tcp dst port 7777 and src host " + address)) {
            var connecting = Command.result(
                    List.of(
                            "nsenter",
                            "--net=" + bench.lab().podNetns(imitator),
                            "python3",
                            "-c",
                            """
                            import socket, sys
                            s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
                            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1337)
                            s.settimeout(0.5)
                            s.bind((sys.argv[1], 0))
                            s.connect((sys.argv[2], 7777))
                            """,
                            address,
                            to.getHostAddress()),
                    "",
                    Duration.ofSeconds(10));

            assertThat(connecting.exitCode()).as(connecting.output()).isNotZero();
            assertThat(connecting.output()).contains("timed out");
            assertThat(capture.stop().frames())
                    .as("packets that reached " + victim)
                    .isEmpty();
            HazardFigures.reached("C9", "0 packets from " + address + " of pod " + imitator + " reached " + victim);
        } finally {
            inside(imitator, "ip", "address", "del", address + (v6 ? "/128" : "/32"), "dev", "lo");
        }
    }

    private static void inside(String pod, String... command) throws IOException {
        var argv = new ArrayList<>(List.of("nsenter", "--net=" + bench.lab().podNetns(pod)));
        argv.addAll(Arrays.asList(command));
        Command.run(argv);
    }

    /// Waits until exactly these callers are refused.
    private static void awaitDenied(InetAddress redis, String... denied) throws Exception {
        var expected = new TreeSet<>(List.of(denied));
        await("refused: " + expected, () -> {
            var refused = new TreeSet<String>(Collections.emptySet());
            for (var caller : CALLERS) {
                if (!isServed(caller, redis)) {
                    refused.add(caller);
                }
            }
            assertThat(refused).isEqualTo(expected);
            return true;
        });
    }

    private static boolean isServed(String caller, InetAddress redis) {
        try (PodConnection connection = bench.connect(caller, redis, REDIS)) {
            return connection.isAlive();
        } catch (IOException _) {
            return false;
        }
    }

    private static String policy(String name, String action, String namespace, String selector, String rule) {
        return """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: %s, namespace: %s}
                spec:
                  %s
                  action: %s
                  rules:
                    - %s
                """.formatted(name, namespace, selector(selector), action, rule);
    }

    private static String peerAuthentication(String name, String namespace, String mode, String selector) {
        return """
                ---
                apiVersion: security.istio.io/v1
                kind: PeerAuthentication
                metadata: {name: %s, namespace: %s}
                spec:
                  %s
                  mtls: {mode: %s}
                """.formatted(name, namespace, selector(selector), mode);
    }

    private static String selector(String label) {
        return label == null || label.isEmpty() ? "" : "selector: {matchLabels: {%s}}".formatted(label);
    }
}
