package io.loam.it.life;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.it.bench.Load;
import io.loam.it.bench.MeshBench;
import io.loam.it.lab.HazardFigures;
import io.loam.lab.command.Command;
import io.loam.lab.node.AgentSetup;
import io.loam.protocol.tls.Pem;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hazard I8: the root under a mesh is replaced, with traffic and new handshakes at each step, and at each step node
/// `two` stays behind for a while because it does not reach the CA.
final class RootRotationNetnsIT {
    private static final int REQUESTS = 50;

    /// Short enough that roots are fetched within 1.8 s, long enough that nothing is renewed by itself within 40 s:
    /// certificates begin 2 min before they are issued.
    private static final String LIFE = "240s";

    @TempDir
    private Path files;

    @Test
    void aRootIsReplacedUnderTrafficWithNodesAtDifferentStages() throws Exception {
        var ca = new PluggedInAuthority(files);
        ca.make("old");
        ca.make("next");
        ca.trust("old");
        ca.signWith("old");
        try (var bench = MeshBench.start(
                "itroots",
                Map.of(
                        "mesh.yaml",
                        namespace("shop", "loam.io/dataplane-mode: ambient")
                                + redis("shop", "cache", "two")
                                + caller("shop", "caller", "one")),
                new AgentSetup(Map.of("SECRET_TTL", LIFE), List.of(), Map.of()),
                ca.inForce())) {
            bench.awaitMesh(true, "shop/cache", "shop/caller");
            try (var load = Load.start(bench.lab().podNetns("shop/caller"), bench.ipv4("shop/cache"), 2, "rooted");
                    var open = bench.connect("shop/caller", bench.ipv6("shop/cache"), 6379)) {
                assertThat(open.isAlive()).isTrue();
                load.awaitMore(REQUESTS);

                keepFromCa(bench, "two");
                ca.trust("old", "next");
                awaitStage(bench, "one", "old", "old", "next");
                assertStage(bench, "two", "old", "old");
                newTunnels(bench, load);
                letToCa(bench, "two");
                awaitStage(bench, "two", "old", "old", "next");

                ca.signWith("next");
                keepFromCa(bench, "two");
                await("certificates of the next root on node one", () -> {
                    renew(bench, "one");
                    return stage(bench, "one").equals(expected("next", "next", "old"));
                });
                assertStage(bench, "two", "old", "old", "next");
                newTunnels(bench, load);
                ca.trust("next"); // too early
                await(
                        "the CA to say that node two needs the old root",
                        () -> said(bench)
                                .contains("root-cert.pem: lacks \"CN=old root\", under which 1 certificates in use ("
                                        + "spiffe://cluster.local/ns/shop/sa/cache, …) were issued"));
                ca.trust("old", "next");
                await("the CA to be content", () -> said(bench).isEmpty());
                letToCa(bench, "two");
                await("certificates of the next root on node two", () -> {
                    renew(bench, "two");
                    return stage(bench, "two").equals(expected("next", "next", "old"));
                });

                keepFromCa(bench, "two");
                ca.trust("next");
                awaitStage(bench, "one", "next", "next");
                assertStage(bench, "two", "next", "next", "old");
                newTunnels(bench, load);
                letToCa(bench, "two");
                awaitStage(bench, "two", "next", "next");
                newTunnels(bench, load);

                load.stop();
                HazardFigures.reached(
                        "I8",
                        "%d of %d requests failed while the root was replaced in three steps, two nodes at different stages"
                                        .formatted(load.failures().size(), load.succeeded())
                                + " at each; longest gap %d ms"
                                        .formatted(load.longestGap().toMillis()));
                assertThat(load.failures()).isEmpty();
                assertThat(open.isAlive())
                        .as("a connection older than the root")
                        .isTrue();
            }
        }
    }

    private static void keepFromCa(MeshBench bench, String node) throws IOException {
        inNode(bench, node, "nft", "add table inet keep");
        inNode(bench, node, "nft", "add chain inet keep out { type filter hook output priority 0; }");
        inNode(bench, node, "nft", "add rule inet keep out tcp dport 15013 reject with tcp reset");
    }

    private static void letToCa(MeshBench bench, String node) throws IOException {
        inNode(bench, node, "nft", "delete table inet keep");
    }

    private static void inNode(MeshBench bench, String node, String... command) throws IOException {
        var argv = new ArrayList<>(List.of("nsenter", "--net=" + bench.lab().nodeNetns(node), "--"));
        argv.addAll(List.of(command));
        Command.run(argv);
    }

    /// Both agents verify each other anew.
    private static void newTunnels(MeshBench bench, Load load) throws Exception {
        assertThat(bench.lab()
                        .askAgent("one", "POST", "/retire_tunnels?pod=shop/caller")
                        .status())
                .isEqualTo(200);
        load.awaitMore(REQUESTS);
    }

    private static void renew(MeshBench bench, String node) throws IOException {
        assertThat(bench.lab().askAgent(node, "POST", "/renew_certificates").status())
                .isEqualTo(200);
    }

    private static String said(MeshBench bench) {
        return String.join(
                "\n", bench.lab().problems().stream().map(Object::toString).toList());
    }

    private static void awaitStage(MeshBench bench, String node, String signer, String... roots) throws Exception {
        var expected = expected(signer, roots);
        await(expected + " on node " + node, () -> stage(bench, node).equals(expected));
    }

    private static void assertStage(MeshBench bench, String node, String signer, String... roots) throws Exception {
        assertThat(stage(bench, node)).as("node %s", node).isEqualTo(expected(signer, roots));
    }

    private static List<String> expected(String signer, String... roots) {
        var expected = new ArrayList<>(List.of(signer));
        expected.addAll(List.of(roots).stream().sorted().toList());
        return expected;
    }

    /// Under which root the agent's only certificate was issued, then which roots it trusts, by their names.
    private static List<String> stage(MeshBench bench, String node) throws Exception {
        var certificates = bench.configDump(node).path("certificates");
        assertThat(certificates).as("certificates of node %s", node).hasSize(1);
        var certificate = certificates.get(0);
        var stage = new ArrayList<String>();
        stage.add(name(certificate.path("certChain").path(1), "intermediate"));
        for (var root : certificate.path("rootCerts")) {
            stage.add(name(root, "root"));
        }
        stage.subList(1, stage.size()).sort(null);
        return stage;
    }

    private static String name(JsonNode certificate, String suffix) throws GeneralSecurityException {
        var pem = new String(Base64.getDecoder().decode(certificate.path("pem").asText()), StandardCharsets.US_ASCII);
        var subject = Pem.certificates(pem).getFirst().getSubjectX500Principal().getName();
        return subject.replace("CN=", "").replace(" " + suffix, "");
    }
}
