package io.loam.it.cli;

import static io.loam.it.cli.LoamProgram.TOP;
import static io.loam.it.cli.LoamProgram.loam;
import static io.loam.it.cli.LoamProgram.started;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the commands of the README's "Looking into agents" show of a shop in the mesh, and that no key is in it
/// (hazard I20).
final class SeeingNetnsIT {
    private static final String LAB = "itsee";
    private static final ObjectMapper JSON = new ObjectMapper();

    /// The keys of wire reference, 8.3, and those of ztunnel's dump below them; `*` stands for keys that are
    /// names, `[]` for the elements of a list. Where something is optional (waypoints), a shop has none.
    private static final List<String> DUMP_KEYS = List.of(
            "certificates[].certChain[].expirationTime",
            "certificates[].certChain[].pem",
            "certificates[].certChain[].serialNumber",
            "certificates[].certChain[].validFrom",
            "certificates[].identity",
            "certificates[].rootCerts[].expirationTime",
            "certificates[].rootCerts[].pem",
            "certificates[].rootCerts[].serialNumber",
            "certificates[].rootCerts[].validFrom",
            "certificates[].state",
            "policies[].action",
            "policies[].dryRun",
            "policies[].name",
            "policies[].namespace",
            "policies[].rules[][][]",
            "policies[].scope",
            "services[].canonical",
            "services[].endpoints.*.port.*",
            "services[].endpoints.*.service",
            "services[].endpoints.*.status",
            "services[].endpoints.*.workloadUid",
            "services[].hostname",
            "services[].ipFamilies",
            "services[].loadBalancer.healthPolicy",
            "services[].loadBalancer.mode",
            "services[].name",
            "services[].namespace",
            "services[].ports.*",
            "services[].vips[]",
            "version.version",
            "workloadState.*.connections.outbound[].actualDst",
            "workloadState.*.connections.outbound[].originalDst",
            "workloadState.*.connections.outbound[].protocol",
            "workloadState.*.connections.outbound[].src",
            "workloadState.*.info.name",
            "workloadState.*.info.namespace",
            "workloadState.*.info.serviceAccount",
            "workloadState.*.state",
            "workloads[].authorizationPolicies[]",
            "workloads[].canonicalName",
            "workloads[].canonicalRevision",
            "workloads[].capacity",
            "workloads[].clusterId",
            "workloads[].hostname",
            "workloads[].locality.region",
            "workloads[].locality.subzone",
            "workloads[].locality.zone",
            "workloads[].name",
            "workloads[].namespace",
            "workloads[].nativeTunnel",
            "workloads[].network",
            "workloads[].node",
            "workloads[].protocol",
            "workloads[].serviceAccount",
            "workloads[].services[]",
            "workloads[].status",
            "workloads[].trustDomain",
            "workloads[].uid",
            "workloads[].workloadIps[]",
            "workloads[].workloadName",
            "workloads[].workloadType");

    /// Objects whose keys are names and not words of the format.
    private static final List<String> MAPS =
            List.of("workloadState", "services[].endpoints", "services[].ports", "services[].endpoints.*.port");

    @TempDir
    private static Path files;

    @BeforeAll
    static void up() throws Exception {
        for (var directory : List.of("samples/shop", "samples/shop-policies")) {
            try (var shop = Files.list(TOP.resolve(directory))) {
                for (var file : shop.toList()) {
                    var yaml = Files.readString(file);
                    Files.writeString(
                            files.resolve(file.getFileName().toString()),
                            yaml.replace("  labels: {}\n", "  labels: {loam.io/dataplane-mode: ambient}\n"));
                }
            }
        }
        var up = loam("up", "--name", LAB, files.toString());
        assertThat(up.exitCode()).as(up.output()).isZero();
    }

    @AfterAll
    static void down() throws Exception {
        loam("down", LAB);
    }

    @Test
    void agentsTellWhatTheyKnowAndNoSecret() throws Exception {
        var shown = new StringBuilder();
        var held = started(
                "exec",
                "--lab",
                LAB,
                "customer",
                "--",
                "python3",
                "-c",
                "import socket,time; s=socket.create_connection(('web.shop',80)); s.send(b'GET / HTTP/1.1\\r\\n');"
                        + " time.sleep(60)");
        try {
            var connection = connectionOf("shop/customer", "outbound");
            assertThat(connection.path("destinationIdentity").asText())
                    .isEqualTo("spiffe://cluster.local/ns/shop/sa/web");
            assertThat(connection.path("identity").asText()).isEqualTo("spiffe://cluster.local/ns/shop/sa/web");
            assertThat(connection.path("service").asText()).isEqualTo("web.shop.svc.cluster.local");
            assertThat(connection.path("bytesSent").asLong()).isEqualTo(16);
            assertThat(connection.path("destination").asText()).endsWith(":15008");
            assertThat(connection.path("durationMillis").asLong()).isPositive();

            shown.append(describe("connection", connection.path("source").asText()));
            shown.append(table("connections", "SOURCE", "spiffe://cluster.local/ns/shop/sa/web"));
            goldenKeysOfTheDump(shown);
        } finally {
            held.destroy();
        }

        var certificate = rows("certificates").path(0);
        assertThat(certificate.path("state").asText()).isEqualTo("Available");
        assertThat(certificate.path("serial").asText()).matches("[0-9]+");
        assertThat(Instant.parse(certificate.path("expires").asText())).isAfter(Instant.now());
        shown.append(table("certificates", "SERIAL", "spiffe://cluster.local/ns/shop/sa/web"));
        shown.append(describe("certificate", "shop/sa/web"));

        shown.append(table("policies", "SCOPE", "no-crawlers"));
        assertThat(describe("policy", "shop/no-crawlers")).contains("workloads:", "- shop/web-");
        assertThat(describe("service", "web")).contains("web.shop.svc.cluster.local");
        var workload = describe("workload", "customer");
        assertThat(workload).contains("identity: spiffe://cluster.local/ns/shop/sa/customer", "state: Available");
        shown.append(workload);
        for (var kind : List.of("workloads", "services", "policies", "certificates", "connections")) {
            for (var format : List.of("table", "wide", "json", "yaml")) {
                shown.append(ok("get", kind, "--lab", LAB, "--agent", "alder", "-o", format));
            }
        }
        assertThat(shown.toString())
                .as("hazard I20")
                .doesNotContainIgnoringCase("private key")
                .doesNotContainIgnoringCase("privateKey")
                .doesNotContain("eyJ"); // a token
        System.out.printf(
                "hazard I20: 0 keys or tokens in %d characters of what agents and commands show%n", shown.length());
    }

    private static void goldenKeysOfTheDump(StringBuilder shown) throws Exception {
        var api = JSON.readTree(Path.of("/run/loam", LAB, "api.json").toFile());
        var request = HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + api.path("port").asInt() + "/agents/config_dump"))
                .header("Authorization", "Bearer " + api.path("token").asText());
        try (var client = HttpClient.newHttpClient()) {
            var dumps = client.send(request.build(), HttpResponse.BodyHandlers.ofString())
                    .body();
            shown.append(dumps);
            for (var certificate : dumps.split("\"pem\" *: *\"", -1)) {
                var pem = certificate.substring(0, Math.max(0, certificate.indexOf('"')));
                if (pem.startsWith("LS0t")) {
                    shown.append(new String(Base64.getDecoder().decode(pem), StandardCharsets.US_ASCII));
                }
            }
            var keys = new TreeSet<String>();
            JSON.readTree(dumps).forEach(dump -> collect("", dump, keys));
            keys.removeIf(key -> key.startsWith("config.") // our own settings, not ztunnel's
                    || key.startsWith("workloadState.*.connections.inbound")
                    || key.contains(".routingPreferences")
                    || key.contains(".subjectAltNames"));
            assertThat(keys).containsExactlyElementsOf(new TreeSet<>(DUMP_KEYS));
            var root = new ArrayList<String>();
            JSON.readTree(dumps).path("alder").fieldNames().forEachRemaining(root::add);
            assertThat(root)
                    .containsExactly(
                            "workloads",
                            "services",
                            "policies",
                            "stagedServices",
                            "staticConfig",
                            "version",
                            "config",
                            "certificates",
                            "workloadState");
        }
    }

    private static void collect(String path, JsonNode node, Set<String> keys) {
        if (node.isObject()) {
            node.properties().forEach(entry -> {
                var key = MAPS.contains(path) ? "*" : entry.getKey();
                collect(path.isEmpty() ? key : path + "." + key, entry.getValue(), keys);
            });
        } else if (node.isArray()) {
            node.forEach(element -> collect(path + "[]", element, keys));
        } else {
            keys.add(path);
        }
    }

    @Test
    void logsChangeWhileAgentsRun() throws Exception {
        assertThat(ok("log-level", "--lab", LAB, "alder")).isEqualTo("current log level is info\n");
        assertThat(ok("log-level", "--lab", LAB, "alder", "debug", "--for", "1s"))
                .startsWith("current log level is debug\n");
        await(
                "the level goes back",
                () -> ok("log-level", "--lab", LAB, "alder").equals("current log level is info\n"));
        assertThat(loam("log-level", "--lab", LAB, "alder", "loud").output())
                .contains("level: loud (expected: [logger:]error");
        assertThat(loam("log-level", "--lab", LAB, "oak", "debug").output())
                .contains("no node 'oak' (there are: alder, birch)");

        assertThat(ok("access-log", "--lab", LAB, "alder")).contains("\"only\": \"all\"");
        assertThat(ok("access-log", "--lab", LAB, "alder", "--format", "json", "--rate", "1000"))
                .contains("\"format\": \"json\"", "\"rate\": 1000");
        ok("exec", "--lab", LAB, "customer", "--", "curl", "-s", "http://web.shop/seen");
        var log = Path.of("/run/loam", LAB, "nodes");
        await(
                "a line in JSON",
                () -> Files.readString(log.resolve("alder/agent.log")).contains("\"scope\":\"access\"")
                        || Files.readString(log.resolve("birch/agent.log")).contains("src.workload=\"customer\""));
        assertThat(ok("access-log", "--lab", LAB, "alder", "--reset")).contains("\"format\": \"text\"");
    }

    private static JsonNode connectionOf(String pod, String direction) throws Exception {
        var found = new JsonNode[1];
        await("a connection of " + pod + " with bytes", () -> {
            for (var row : rows("connections")) {
                if (row.path("pod").asText().equals(pod)
                        && row.path("direction").asText().equals(direction)
                        && row.path("service").asText().startsWith("web.")
                        && row.path("bytesSent").asLong() == 16) {
                    found[0] = row;
                }
            }
            return found[0] != null;
        });
        return found[0];
    }

    private static JsonNode rows(String kind) throws Exception {
        return JSON.readTree(ok("get", kind, "--lab", LAB, "-o", "json"));
    }

    private static String table(String kind, String... expected) throws Exception {
        var table = ok("get", kind, "--lab", LAB, "-o", "wide");
        assertThat(table).contains(expected);
        return table;
    }

    private static String describe(String kind, String name) throws Exception {
        return ok("describe", kind, name, "--lab", LAB);
    }

    private static String ok(String... arguments) throws IOException, InterruptedException {
        var outcome = loam(arguments);
        assertThat(outcome.exitCode()).as(outcome.output()).isZero();
        return outcome.output();
    }

    private interface Look {
        boolean sees() throws Exception;
    }

    private static void await(String what, Look look) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!look.sees()) {
            assertThat(System.nanoTime() - deadline).as(what).isNegative();
        }
    }
}
