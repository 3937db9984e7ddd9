package io.loam.runtime.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.time.ManualTimer;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/// Wire reference, 8.3.
class AdminTest {
    private static final EventLoops LOOPS = new EventLoops(1);

    private final Readiness readiness = new Readiness();
    private final ManualTimer timer = new ManualTimer();
    private final LogLevels levels = new LogLevels("info", timer);
    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final HttpClient client = HttpClient.newHttpClient();
    private HttpEndpoint endpoint;

    AdminTest() throws IOException {
        endpoint = open(0);
    }

    @BeforeEach
    void count() {
        Counter.builder().name("loam_test").help("h").register(registry).inc();
    }

    @AfterEach
    void close() {
        levels.reply(new HttpRequest("POST", Map.of("reset", List.of("")), ""));
        endpoint.close();
        client.close();
    }

    @AfterAll
    static void stopLoops() {
        LOOPS.close();
    }

    private HttpEndpoint open(int port) throws IOException {
        return HttpEndpoint.open(
                LOOPS.control(),
                new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port),
                Map.of(
                        "/logging",
                        levels::reply,
                        "/healthz/ready",
                        _ -> readiness.reply(),
                        "/metrics",
                        new MetricsPage(registry)::render,
                        "/broken",
                        _ -> {
                            throw new IllegalStateException("bug");
                        }));
    }

    @Test
    void namesWhatIsPendingInOrderUntilItIsDone() throws Exception {
        readiness.pending("zds snapshot");
        readiness.pending("workload proxies");

        assertThat(get("/healthz/ready"))
                .isEqualTo(HttpReply.text(500, "not ready, pending: workload proxies, zds snapshot\n"));

        readiness.done("zds snapshot");
        readiness.done("workload proxies");
        assertThat(get("/healthz/ready")).isEqualTo(HttpReply.text(200, "ready\n"));

        readiness.pending("zds snapshot");
        assertThat(get("/healthz/ready").status()).isEqualTo(500);
    }

    @Test
    void logLevelsAreShownAndChangedByPostOnly() throws Exception {
        assertThat(get("/logging?level=debug")).isEqualTo(HttpReply.text(405, "Invalid HTTP method\n"));
        assertThat(post("/logging").body()).isEqualTo("current log level is info\n");
        assertThat(post("/logging?level=debug").body()).isEqualTo("current log level is debug\n");
        assertThat(post("/logging?level=io.loam.part:trace,warn").body()).isEqualTo("current log level is warn\n");
        assertThat(LoggerFactory.getLogger("io.loam.part").isTraceEnabled()).isTrue();
        assertThat(post("/logging?reset").body()).isEqualTo("current log level is info\n");
        assertThat(LoggerFactory.getLogger("io.loam.part").isTraceEnabled()).isFalse();
    }

    @Test
    void anUnknownLevelChangesNothing() throws Exception {
        assertThat(post("/logging?level=debug,io.loam.part:loud"))
                .isEqualTo(HttpReply.text(
                        400, "level: io.loam.part:loud (expected: [logger:]error, warn, info, debug or trace)\n"));
        assertThat(post("/logging").body()).isEqualTo("current log level is info\n");
    }

    @Test
    void aTemporaryLevelGoesBackToWhatItWas() throws Exception {
        post("/logging?level=warn,io.loam.part:error");

        assertThat(post("/logging?level=debug,io.loam.part:trace&for=10m").body())
                .startsWith("current log level is debug\n")
                .contains("ROOT: for a while, then warn\n", "io.loam.part: for a while, then error\n");
        timer.advance(Duration.ofMinutes(10).minusMillis(1));
        assertThat(LoggerFactory.getLogger("io.loam.part").isTraceEnabled()).isTrue();
        timer.advance(Duration.ofMillis(1));

        assertThat(post("/logging").body()).isEqualTo("current log level is warn\n");
        assertThat(LoggerFactory.getLogger("io.loam.part").isTraceEnabled()).isFalse();
        assertThat(LoggerFactory.getLogger("io.loam.part").isWarnEnabled()).isFalse();
    }

    @Test
    void theSecondTemporaryLevelGoesBackToWhatWasBeforeTheFirst() throws Exception {
        post("/logging?level=debug&for=10m");
        timer.advance(Duration.ofMinutes(5));
        post("/logging?level=trace&for=10m");

        timer.advance(Duration.ofMinutes(6));
        assertThat(post("/logging").body()).startsWith("current log level is trace\n");
        timer.advance(Duration.ofMinutes(4));
        assertThat(post("/logging").body()).isEqualTo("current log level is info\n");
    }

    @Test
    void aLevelThatIsSetForGoodOrResetStays() throws Exception {
        post("/logging?level=debug&for=10m");
        post("/logging?level=warn");
        timer.advance(Duration.ofMinutes(11));
        assertThat(post("/logging").body()).isEqualTo("current log level is warn\n");

        post("/logging?level=trace&for=10m");
        assertThat(post("/logging?reset").body()).isEqualTo("current log level is info\n");
        timer.advance(Duration.ofMinutes(11));
        assertThat(post("/logging").body()).isEqualTo("current log level is info\n");
        assertThat(timer.waiting()).isEmpty();
    }

    @Test
    void aWrongTimeChangesNothing() throws Exception {
        for (var time : List.of("", "10", "0s", "25h", "-1m", "1d", "9999999s")) {
            assertThat(post("/logging?level=debug&for=" + time))
                    .isEqualTo(HttpReply.text(400, "for: " + time + " (expected: 1s to 24h, as in 90s, 10m, 2h)\n"));
        }
        assertThat(post("/logging?for=10m").status()).isEqualTo(400);
        assertThat(post("/logging").body()).isEqualTo("current log level is info\n");
    }

    @Test
    void metricsAreCompressedForWhoAsksForIt() throws Exception {
        var request = java.net.http.HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + endpoint.address().getPort() + "/metrics"))
                .header("accept-encoding", "gzip");
        var answer = client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());

        assertThat(answer.headers().firstValue("content-encoding")).contains("gzip");
        try (var body = new GZIPInputStream(answer.body())) {
            assertThat(new String(body.readAllBytes(), StandardCharsets.UTF_8)).contains("loam_test_total 1.0");
        }
    }

    @Test
    void metricsComeInTheFormatThatWasAskedFor() throws Exception {
        assertThat(get("/metrics").contentType()).startsWith("text/plain");
        assertThat(get("/metrics").body()).contains("loam_test_total 1.0").doesNotContain("# EOF");

        var open = send("GET", "/metrics", "application/openmetrics-text; version=1.0.0");
        assertThat(open.contentType()).startsWith("application/openmetrics-text");
        assertThat(open.body()).endsWith("# EOF\n");
    }

    @Test
    void aBugInOneAnswerIsA500AndTheNextRequestIsServed() throws Exception {
        assertThat(get("/broken")).isEqualTo(HttpReply.text(500, "internal error; see the log\n"));
        assertThat(get("/nothing").status()).isEqualTo(404);
        assertThat(get("/metrics").status()).isEqualTo(200);
    }

    @Test
    void aTakenPortIsAnErrorThatNamesIt() throws Exception {
        try (var other = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
            int port = other.getLocalPort();

            assertThatThrownBy(() -> open(port))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("127.0.0.1:" + port);
        }
    }

    /// Hazard P1: the agent that takes over starts while its predecessor is still there.
    @Test
    void aSuccessorListensBesideUsAndAnswersWhenWeHaveClosed() throws Exception {
        var former = endpoint;
        endpoint = open(former.address().getPort());

        former.close();

        assertThat(get("/healthz/ready").status()).isEqualTo(200);
    }

    @Test
    void saysWhichProcessAnswers() throws Exception {
        try (var client = HttpClient.newHttpClient()) {
            var answer = client.send(
                    java.net.http.HttpRequest.newBuilder(URI.create(
                                    "http://127.0.0.1:" + endpoint.address().getPort() + "/healthz/ready"))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());

            assertThat(answer.headers().firstValue("x-agent-pid"))
                    .contains(Long.toString(ProcessHandle.current().pid()));
        }
    }

    private HttpReply get(String path) throws Exception {
        return send("GET", path, "");
    }

    private HttpReply post(String path) throws Exception {
        return send("POST", path, "");
    }

    private HttpReply send(String method, String path, String accept) throws Exception {
        var request = java.net.http.HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + endpoint.address().getPort() + path))
                .method(method, java.net.http.HttpRequest.BodyPublishers.noBody());
        if (!accept.isEmpty()) {
            request.header("accept", accept);
        }
        var answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
        return new HttpReply(
                answer.statusCode(), answer.headers().firstValue("content-type").orElse(""), answer.body());
    }
}
