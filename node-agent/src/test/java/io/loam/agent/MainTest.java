package io.loam.agent;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The program as a process. As in operation it needs root.
class MainTest {
    /// Enough for the JVM and its libraries, and not for the 64 that the agent reserves.
    private static final int FEW_FILES = 130;

    @TempDir
    private Path folder = Path.of("");

    @Test
    void settingsThatDoNotFitEndItWithCode2AndALineEach() throws Exception {
        var builder = program();
        builder.environment().put("LOAM_ADMINPORT", "1");
        builder.environment().put("LOCAL_XDS", "/etc/mesh.yaml");
        builder.environment().put("ZTUNNEL_WORKER_THREADS", "1");

        var process = builder.start();
        var errors = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();

        assertThat(errors).isEqualTo("""
                LOAM_ADMINPORT: unknown setting (expected: one of LOAM_ADMIN_PORT, LOAM_DNS_MAX_FORWARDED,\
                 LOAM_DNS_MAX_FORWARDED_PER_POD, LOAM_DNS_RESOLVERS, LOAM_DNS_TIMEOUT, LOAM_MESH_MAX_AGE,\
                 LOAM_READINESS_PORT, LOAM_STATE_DIR, LOAM_STATS_PORT,\
                 LOAM_TLS_GROUPS)
                LOCAL_XDS: /etc/mesh.yaml (expected: not set; workloads come from the control plane only)
                NODE_NAME: not set (expected: the name of the node this agent runs on)
                """);
        assertThat(process.exitValue()).isEqualTo(2);
        assertThat(process.getInputStream().readAllBytes()).isEmpty();
    }

    /// Hazard P10. Known only once the process runs, so it is not the reader of the settings that finds out.
    @Test
    void tooFewDescriptorsEndItWithCode2AndOneSentence() throws Exception {
        var builder = program();
        builder.command().addAll(0, List.of("prlimit", "--nofile=" + FEW_FILES));
        builder.environment().put("NODE_NAME", "node-1");
        builder.environment().put("XDS_ADDRESS", "https://127.0.0.1:1");
        builder.environment().put("CA_ADDRESS", "https://127.0.0.1:1");
        builder.environment().put("INPOD_UDS", folder.resolve("zds.sock").toString());
        builder.environment().put("ZTUNNEL_WORKER_THREADS", "1");

        var process = builder.start();
        var errors = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();

        assertThat(errors)
                .startsWith("limit of open files: " + FEW_FILES + " (expected: more than ")
                .hasLineCount(1);
        assertThat(process.exitValue()).isEqualTo(2);
    }

    /// Wire reference, 8.3, of an agent that reaches nobody.
    @Test
    void operatorsReachItAndTheAdminPortIsOnLoopbackOnly() throws Exception {
        int admin = freePort();
        int stats = freePort();
        int ready = freePort();
        var builder = program();
        builder.environment().put("NODE_NAME", "node-1");
        builder.environment().put("XDS_ADDRESS", "https://127.0.0.1:1");
        builder.environment().put("CA_ADDRESS", "https://127.0.0.1:1");
        builder.environment().put("INPOD_UDS", folder.resolve("zds.sock").toString());
        builder.environment().put("ZTUNNEL_WORKER_THREADS", "1");
        builder.environment().put("LOAM_ADMIN_PORT", Integer.toString(admin));
        builder.environment().put("LOAM_STATS_PORT", Integer.toString(stats));
        builder.environment().put("LOAM_READINESS_PORT", Integer.toString(ready));
        builder.redirectErrorStream(true)
                .redirectOutput(folder.resolve("agent.log").toFile());
        var process = builder.start();
        try (var client = HttpClient.newHttpClient()) {
            awaitPort(ready, process);

            assertThat(pendingBehindTheSelfTest(client, ready))
                    .isEqualTo("not ready, pending: listeners, xds type.googleapis.com/istio.security.Authorization,"
                            + " xds type.googleapis.com/istio.workload.Address, zds snapshot\n");
            var dump = new ObjectMapper()
                    .readTree(send(client, "GET", "127.0.0.1", admin, "/config_dump")
                            .body());
            assertThat(dump.properties())
                    .extracting(java.util.Map.Entry::getKey)
                    .containsExactlyInAnyOrder(
                            "workloads",
                            "services",
                            "policies",
                            "stagedServices",
                            "staticConfig",
                            "version",
                            "config",
                            "certificates",
                            "workloadState");
            assertThat(dump.at("/config/localNode").asText()).isEqualTo("node-1");
            assertThat(send(client, "GET", "127.0.0.1", admin, "/logging?level=debug")
                            .statusCode())
                    .isEqualTo(405);
            assertThat(send(client, "GET", "127.0.0.1", admin, "/quitquitquit").statusCode())
                    .isEqualTo(405);
            assertThat(send(client, "GET", "127.0.0.2", stats, "/metrics").body())
                    .contains("workload_manager_active_proxy_count 0.0");
            assertThat(listens("127.0.0.2", stats)).isTrue();
            assertThat(listens("127.0.0.2", admin))
                    .as("admin on other addresses")
                    .isFalse();

            assertThat(send(client, "POST", "127.0.0.1", admin, "/quitquitquit").statusCode())
                    .isEqualTo(200);
            assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isZero();
        } finally {
            process.destroyForcibly();
        }
    }

    private static ProcessBuilder program() {
        var builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName());
        builder.environment().clear();
        return builder;
    }

    private static void awaitPort(int port, Process process) throws IOException {
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (!listens("127.0.0.1", port)) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                throw new IOException("the agent does not listen; alive=" + process.isAlive());
            }
            LockSupport.parkNanos(10_000_000); // the agent needs the processor more than we do
        }
    }

    private static boolean listens(String address, int port) {
        try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.ofLiteral(address), port), 1_000);
            return true;
        } catch (IOException _) {
            return false;
        }
    }

    /// It passes without anybody else's help.
    private static String pendingBehindTheSelfTest(HttpClient client, int ready) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        var body = send(client, "GET", "127.0.0.1", ready, "/healthz/ready").body();
        while (body.contains("self-test") && System.nanoTime() < deadline) {
            LockSupport.parkNanos(10_000_000);
            body = send(client, "GET", "127.0.0.1", ready, "/healthz/ready").body();
        }
        return body;
    }

    private static int freePort() throws IOException {
        try (var socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private static HttpResponse<String> send(HttpClient client, String method, String host, int port, String path)
            throws Exception {
        var request = HttpRequest.newBuilder(URI.create("http://" + host + ":" + port + path))
                .method(method, HttpRequest.BodyPublishers.noBody())
                .build();
        return client.send(request, HttpResponse.BodyHandlers.ofString());
    }
}
