package io.loam.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.lab.network.LabName;
import io.loam.lab.remains.LabRemains;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The API of a lab as `io.loam.cli.lab` documents it, asked by a stranger and by the holder of the token.
final class LabApiNetnsIT {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String FILES = """
            apiVersion: v1
            kind: Node
            metadata: {name: one}
            ---
            apiVersion: v1
            kind: Namespace
            metadata: {name: shop}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: idle, namespace: shop, labels: {app: idle}}
            spec: {containers: [{name: main, command: [/bin/sh, -c, "echo hello; exec sleep 600"]}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: idle, namespace: shop}
            spec: {selector: {app: idle}, ports: [{name: http, port: 80, targetPort: 8080}]}
            ---
            apiVersion: v1
            kind: Gadget
            metadata: {name: unheard-of}
            """;

    @TempDir
    private static Path files;

    private static final LabName LAB =
            new LabName("api" + ProcessHandle.current().pid() % 100_000);
    private static final Path ANNOUNCEMENT = LAB.stateDir().resolve("api.json");
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static Process daemon;
    private static JsonNode announced;

    @BeforeAll
    static void start() throws IOException, InterruptedException {
        Files.writeString(files.resolve("lab.yaml"), FILES);
        daemon = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.loam.lab.Main",
                        "up",
                        LAB.value(),
                        files.toString())
                .inheritIO()
                .start();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
        while (!Files.exists(ANNOUNCEMENT)) {
            assertThat(System.nanoTime() - deadline).as("api.json is missing").isNegative();
            assertThat(daemon.waitFor(50, TimeUnit.MILLISECONDS))
                    .as("lab ended")
                    .isFalse();
        }
        announced = JSON.readTree(ANNOUNCEMENT.toFile());
        while (!get("/status").path("state").asText().equals("ready")) {
            assertThat(System.nanoTime() - deadline)
                    .as(get("/status").toString())
                    .isNegative();
            assertThat(daemon.waitFor(50, TimeUnit.MILLISECONDS))
                    .as("lab ended")
                    .isFalse();
        }
    }

    @AfterAll
    static void stop() throws IOException, InterruptedException {
        daemon.destroy();
        assertThat(daemon.waitFor(20, TimeUnit.SECONDS)).as("ends when told to").isTrue();
        assertThat(LAB.stateDir())
                .as("a lab that is told to end clears itself away")
                .doesNotExist();
        HTTP.close();
        LabRemains.of(LAB).remove();
    }

    @Test
    void onlyTheOwnerCanReadTheToken() throws IOException {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(ANNOUNCEMENT)))
                .isEqualTo("rw-------");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(LAB.stateDir())))
                .isEqualTo("rwx------");
        assertThat(announced.path("lab").asText()).isEqualTo(LAB.value());
        assertThat(announced.path("pid").asLong()).isEqualTo(daemon.pid());
    }

    @Test
    void refusesWhoeverLacksTheToken() throws IOException, InterruptedException {
        for (var authorization :
                List.of("", "Bearer ", "Bearer 00", announced.path("token").asText())) {
            var response = ask("/pods", authorization);

            assertThat(response.statusCode()).as("'%s'", authorization).isEqualTo(401);
            assertThat(response.body()).doesNotContain("idle");
        }
    }

    @Test
    void saysWhatItDoesNotKnow() throws IOException, InterruptedException {
        assertThat(error("/nothing")).isEqualTo("no such thing here: /nothing");
        assertThat(error("/exec?pod=ghost")).isEqualTo("no pod or deployment 'ghost' (there are: shop/idle)");
        assertThat(error("/logs?pod=idle&container=side"))
                .isEqualTo("pod shop/idle has no container 'side' (it has: main)");
    }

    @Test
    void listsPodsServicesAndWorkloads() throws IOException, InterruptedException {
        var pod = get("/pods").path(0);
        assertThat(pod.path("namespace").asText() + "/" + pod.path("name").asText())
                .isEqualTo("shop/idle");
        assertThat(pod.path("ready").asBoolean()).isTrue();
        assertThat(pod.path("phase").asText()).isEqualTo("Running");
        assertThat(pod.path("mesh").asText()).isEqualTo("-");
        assertThat(pod.path("ips").path(0).asText()).isEqualTo("10.244.1.2");
        assertThat(pod.path("ips").path(1).asText()).isEqualTo("fd00:244:1::2");

        var service = get("/services").path(0);
        assertThat(service.path("type").asText()).isEqualTo("ClusterIP");
        assertThat(service.path("ports").path(0).asText()).isEqualTo("http 80->8080");
        assertThat(service.path("endpoints").asInt()).isEqualTo(1);

        var workload = get("/workloads").path(0);
        assertThat(workload.path("identity").asText()).isEqualTo("spiffe://cluster.local/ns/shop/sa/default");
        assertThat(workload.path("protocol").asText()).isEqualTo("TCP");
        assertThat(workload.path("services").path(0).asText()).contains("idle.shop");
    }

    @Test
    void tellsWhereLogsAreAndWhatIsWrongWithTheFiles() throws IOException, InterruptedException {
        var log = get("/logs?pod=shop%2Fidle").path(0);
        assertThat(Path.of(log.path("path").asText())).content().isEqualTo("hello\n");

        var problems = get("/problems");
        assertThat(problems).hasSize(1);
        assertThat(problems.path(0).path("text").asText()).contains("lab.yaml:", "Gadget");
    }

    private static String error(String path) throws IOException, InterruptedException {
        var response = ask(path, "Bearer " + announced.path("token").asText());
        assertThat(response.statusCode()).isEqualTo(404);
        return JSON.readTree(response.body()).path("error").asText();
    }

    private static JsonNode get(String path) throws IOException, InterruptedException {
        var response = ask(path, "Bearer " + announced.path("token").asText());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return JSON.readTree(response.body());
    }

    private static HttpResponse<String> ask(String path, String authorization)
            throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + announced.path("port").asInt() + path));
        if (!authorization.isEmpty()) {
            request.header("Authorization", authorization);
        }
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }
}
