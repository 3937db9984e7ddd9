package io.loam.agent;

import io.loam.agent.selftest.EchoLoad;
import io.loam.agent.selftest.EchoLoad.Shape;
import io.loam.agent.training.StandIns;
import io.loam.runtime.admin.LogLevels;
import io.loam.runtime.config.AgentConfig;
import io.loam.runtime.config.AgentConfigReader;
import io.loam.runtime.config.LimitsConfig;
import io.loam.runtime.time.SystemTimer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// An agent's life in ten seconds, from which the JVM learns which classes it needs and which methods are hot
/// (JEP 514 and 515): an agent starts as it does on a node, hears of a mesh that changes, gets certificates,
/// carries connections through tunnels, answers operators, and drains. Run by the build as
///
/// ```
/// java <flags of AgentJvm> -XX:AOTCacheOutput=<beside the jar files>/agent.aot -cp <as the agent's>
///     io.loam.agent.AgentTraining
/// ```
///
/// and with no other flags than the agent's: a cache that was made with others is not used. With `--flags` it
/// prints these, one a line, and does nothing else.
///
/// As root it takes on a pod too, in its own network namespace, where ports 15001, 15006 and 15008 must be
/// free. Exit codes: 0 done, 1 something did not work as in operation; the cache would be of little use then.
public final class AgentTraining {
    private static final Logger log = LoggerFactory.getLogger(AgentTraining.class);

    /// Workers of the agents that use the cache in a lab, and on machines of up to eight cores.
    private static final int WORKERS = 2;

    /// Connections that come and go: what a fresh agent is slowest at.
    private static final Shape SHORT = new Shape(32, 1, 1 << 10);

    /// Five seconds on an idle machine of two cores; after these the JVM has compiled what they take.
    private static final int MOST_SHORT = 10_000;

    private static final Duration SHORT_TIME = Duration.ofSeconds(10);

    /// Requests on kept connections.
    private static final Shape KEPT = new Shape(32, 500, 1 << 10);

    private static final Duration KEPT_TIME = Duration.ofSeconds(2);

    private static final Shape BULK = new Shape(8, 4, 4 << 20);
    private static final Duration BULK_TIME = Duration.ofSeconds(2);

    private static final int PAGES = 20;

    /// Files that may be open, for the agent's limits; no load here comes near.
    private static final int DESCRIPTORS = 20_000;

    private static final int READ_TIMEOUT_MILLIS = 100;
    private static final Duration START_TIMEOUT = Duration.ofSeconds(20);

    private final AgentConfig config;
    private final Agent agent;

    private AgentTraining(AgentConfig config, Agent agent) {
        this.config = config;
        this.agent = agent;
    }

    static void main(String[] arguments) throws InterruptedException {
        if (List.of(arguments).equals(List.of("--flags"))) {
            AgentJvm.flags(WORKERS).forEach(System.out::println);
            return;
        }
        Preload.nativeCalls();
        try {
            var folder = Files.createTempDirectory("loam-training");
            var state = Files.createTempDirectory("loam-training-state");
            try {
                train(folder, state);
            } finally {
                remove(folder);
                remove(state);
            }
            System.exit(0);
        } catch (IOException | GeneralSecurityException e) {
            log.error("training failed", e);
            System.exit(1);
        }
    }

    private static void remove(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            for (var file : files.toList()) {
                Files.deleteIfExists(file);
            }
        }
        Files.deleteIfExists(folder);
    }

    /// By the very steps of {@link Main} where this process may take them: each class that is not in the cache is
    /// looked for in the jar files, one after the other.
    private static void train(Path folder, Path state)
            throws IOException, GeneralSecurityException, InterruptedException {
        var environment = new HashMap<>(Map.of("ZTUNNEL_WORKER_THREADS", Integer.toString(WORKERS)));
        var ports = freePorts();
        environment.put("LOAM_ADMIN_PORT", ports.get(0).toString());
        environment.put("LOAM_STATS_PORT", ports.get(1).toString());
        environment.put("LOAM_READINESS_PORT", ports.get(2).toString());
        environment.put("NODE_NAME", "training");
        environment.put("LOAM_STATE_DIR", state.toString());
        var logLevels = new LogLevels("info", new SystemTimer());
        boolean privileged = isPrivileged(AgentConfigReader.read(environment, WORKERS));
        try (var standIns = StandIns.start(folder, privileged)) {
            environment.putAll(standIns.environment());
            var config = AgentConfigReader.read(environment, WORKERS);
            var agent = privileged
                    ? Agent.start(config)
                    : Agent.begin(config, LimitsConfig.within(DESCRIPTORS, 0), logLevels);
            var training = new AgentTraining(config, agent);
            training.awaitReady();
            training.carry();
            training.askForPages();
            if (privileged) {
                training.callPod();
            }
            if (Main.drain(training.agent) != 0) {
                throw new IOException("the agent could not be drained");
            }
        }
    }

    private static boolean isPrivileged(AgentConfig config) {
        try {
            SelfCheck.run(config.sockets());
            return true;
        } catch (IOException e) {
            log.info("training without a pod: {}", e.getMessage());
            return false;
        }
    }

    private static List<Integer> freePorts() throws IOException {
        var ports = new ArrayList<Integer>();
        try (var one = new ServerSocket(0);
                var two = new ServerSocket(0);
                var three = new ServerSocket(0)) {
            List.of(one, two, three).forEach(socket -> ports.add(socket.getLocalPort()));
        }
        return ports;
    }

    private void awaitReady() throws IOException, InterruptedException {
        long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
        var answer = page(config.admin().readinessPort(), "GET", "/healthz/ready");
        while (!answer.startsWith("HTTP/1.1 200")) {
            if (System.nanoTime() > deadline) {
                throw new IOException("not ready after " + START_TIMEOUT.toSeconds() + " s: " + answer);
            }
            Thread.sleep(Duration.ofMillis(20));
            answer = page(config.admin().readinessPort(), "GET", "/healthz/ready");
        }
    }

    private void carry() throws IOException, InterruptedException {
        try (var mesh = agent.loopback(
                new SystemTimer(), () -> ThreadLocalRandom.current().nextLong())) {
            var load = new EchoLoad(mesh);
            int connections = load.run(SHORT, MOST_SHORT, SHORT_TIME);
            int kept = load.run(KEPT, Integer.MAX_VALUE, KEPT_TIME);
            int bulk = load.run(BULK, Integer.MAX_VALUE, BULK_TIME);
            log.info(
                    "trained connections={} requests={} bulk.mib={}",
                    connections,
                    kept * KEPT.rounds(),
                    ((long) bulk * BULK.rounds() * BULK.bytes()) >> 20);
        }
    }

    private void askForPages() throws IOException {
        var admin = config.admin();
        for (int i = 0; i < PAGES; i++) {
            page(admin.adminPort(), "GET", "/config_dump");
            page(admin.adminPort(), "POST", "/logging?level=info");
            page(admin.statsPort(), "GET", "/metrics");
            page(admin.readinessPort(), "GET", "/healthz/ready");
        }
    }

    /// Connections that nothing redirected: the pod's listeners take them, find that they lead back to
    /// themselves, and refuse. So this is the path of refusals.
    private void callPod() throws IOException {
        for (int i = 0; i < PAGES; i++) {
            for (int port : new int[] {15001, 15006}) {
                try (var socket = new Socket()) {
                    socket.connect(new InetSocketAddress(loopback(), port), READ_TIMEOUT_MILLIS);
                    socket.setSoTimeout(READ_TIMEOUT_MILLIS);
                    int read = socket.getInputStream().read();
                    log.debug("refused port={} read={}", port, read);
                } catch (IOException e) { // by a reset, as expected
                    log.debug("refused port={}", port, e);
                }
            }
        }
    }

    private static InetAddress loopback() throws IOException {
        return InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
    }

    private static String page(int port, String method, String path) throws IOException {
        try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(loopback(), port));
            socket.getOutputStream()
                    .write((method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
