package io.loam.it.cli;

import static io.loam.it.cli.LoamProgram.TOP;
import static io.loam.it.cli.LoamProgram.loam;
import static io.loam.it.cli.LoamProgram.started;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `loam prove` holds where the mesh carries the request, and fails where it does not.
final class ProveNetnsIT {
    private static final String LAB = "itprove";
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private static Path files;

    @BeforeAll
    static void up() throws Exception {
        try (var shop = Files.list(TOP.resolve("samples/shop"))) {
            for (var file : shop.toList()) {
                Files.copy(file, files.resolve(file.getFileName()));
            }
        }
        Files.copy(TOP.resolve("samples/shop-policies/no-crawlers.yaml"), files.resolve("no-crawlers.yaml"));
        var cluster = files.resolve("cluster.yaml");
        Files.writeString(
                cluster, Files.readString(cluster).replace("labels: {}", "labels: {loam.io/dataplane-mode: ambient}"));
        var up = loam("up", "--name", LAB, files.toString());
        assertThat(up.exitCode()).as(up.output()).isZero();
    }

    @AfterAll
    static void down() throws Exception {
        loam("down", LAB);
    }

    private static LoamProgram.Outcome prove(String... arguments) throws Exception {
        var command = new String[arguments.length + 3];
        command[0] = "prove";
        command[1] = "--lab";
        command[2] = LAB;
        System.arraycopy(arguments, 0, command, 3, arguments.length);
        return loam(command);
    }

    @Test
    void betweenTwoNodesTheWireShowsTlsAndTheAgentsWhoIsAtItsEnds() throws Exception {
        var proof = prove("customer", "web.shop");

        assertThat(proof.exitCode()).as(proof.output()).isZero();
        assertThat(proof.output())
                .contains("the link between the nodes (eth0 of birch): ", " packets, 0 lost")
                .contains("marker     in none of them")
                .contains("TLSv1.3 TLS_AES_128_GCM_SHA256, keys by X25519MLKEM768")
                .contains("server     spiffe://cluster.local/ns/shop/sa/web, says agent birch for shop/customer")
                .contains("client     spiffe://cluster.local/ns/shop/sa/customer, says agent alder for shop/web-")
                .contains("proof      holds");
    }

    /// Twice: the second time there is a tunnel that would carry the request without a handshake.
    @Test
    void theReportNamesTheCertificatesThatTheAgentsHold() throws Exception {
        for (int i = 0; i < 2; i++) {
            var proof = prove("customer", "web.shop", "--json");
            assertThat(proof.exitCode()).as(proof.output()).isZero();
            var json = JSON.readTree(proof.output());
            assertThat(json.path("wire").path("packetsWithMarker").asLong()).isZero();
            assertThat(json.path("wire").path("flow").path("keyExchange").asText())
                    .isEqualTo("X25519MLKEM768");
            assertThat(json.path("wire").path("flow").path("server").asText()).endsWith(":15008");
            assertThat(json.path("request").path("bytesRead").asLong()).isPositive();
            var leaf = json.path("agents").path("client").path("certificates").path(0);
            assertThat(leaf.path("serial").asText()).isEqualTo(serialOf("spiffe://cluster.local/ns/shop/sa/web"));
            assertThat(Instant.parse(leaf.path("expires").asText())).isAfter(Instant.now());
            assertThat(json.path("agents")
                            .path("server")
                            .path("certificates")
                            .path(0)
                            .path("serial")
                            .asText())
                    .isEqualTo(serialOf("spiffe://cluster.local/ns/shop/sa/customer"));
            assertThat(json.path("agents").path("client").path("roots")).isNotEmpty();
        }
    }

    private static String serialOf(String identity) throws Exception {
        JsonNode all = JSON.readTree(
                loam("get", "certificates", "--lab", LAB, "-o", "json").output());
        for (var one : all) {
            if (one.path("identity").asText().equals(identity)) {
                return one.path("serial").asText();
            }
        }
        throw new AssertionError("no certificate of " + identity + " in " + all);
    }

    @Test
    void onOneNodeItLooksAtThePodsOwnLink() throws Exception {
        var proof = prove("counter", "web.shop");

        assertThat(proof.exitCode()).as(proof.output()).isZero();
        assertThat(proof.output())
                .contains("the link of pod shop/counter-", "both ends are on alder")
                .contains("proof      holds");
    }

    @Test
    void aCallerOutsideOfTheMeshIsReadable() throws Exception {
        var proof = prove("legacy/old-till", "web.shop");

        assertThat(proof.exitCode()).as(proof.output()).isEqualTo(1);
        assertThat(proof.output())
                .contains("marker     READABLE in ", "missing    PLAINTEXT: the marker can be read in ")
                .contains("no TLS flow: no agent carried the request")
                .contains("proof      FAILS");
    }

    @Test
    void aServerOutsideOfTheMeshIsReadable() throws Exception {
        var server = started("exec", "--lab", LAB, "legacy/old-till", "--", "python3", "-m", "http.server", "8000");
        try {
            LoamProgram.Outcome proof;
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
            do {
                assertThat(System.nanoTime() - deadline)
                        .as("the server answers")
                        .isNegative();
                proof = prove("counter", "legacy/old-till:8000");
            } while (proof.output().contains("not taken"));

            assertThat(proof.exitCode()).as(proof.output()).isEqualTo(1);
            assertThat(proof.output())
                    .contains(
                            "missing    PLAINTEXT: ",
                            "no TLS flow: agent alder has no tunnel that carried the request");
        } finally {
            server.destroy();
        }
    }

    @Test
    void aRefusedRequestProvesNothing() throws Exception {
        var proof = prove("crawler", "web.shop");

        assertThat(proof.exitCode()).as(proof.output()).isEqualTo(1);
        assertThat(proof.output())
                .contains(
                        "marker     in none of them",
                        "the request was not taken: ",
                        "the agent's log says PEER_DENIED");
    }

    @Test
    void whatIsNotThereIsSaidInOneSentence() throws Exception {
        var proof = prove("customer", "nobody:80");

        assertThat(proof.exitCode()).isEqualTo(2);
        assertThat(proof.output()).contains("no pod or deployment 'nobody'");
    }
}
