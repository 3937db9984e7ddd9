package io.loam.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.loam.config.cluster.RunningPod;
import io.loam.config.object.ServiceObject;
import io.loam.config.problem.Problem;
import io.loam.model.workload.Workload;
import io.netty.util.NetUtil;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The lab for other programs: JSON over HTTP on 127.0.0.1, for those who can read the token in `api.json`. What is
/// asked and answered is documented in the command's package `io.loam.cli.lab`.
final class LabApi implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LabApi.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int TOKEN_BYTES = 32;
    private static final String AGENTS = "/agents/";

    private final Lab lab;
    private final AgentApi agents;
    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final byte[] authorization;

    private LabApi(Lab lab, HttpServer server, String token) {
        this.lab = lab;
        this.agents = new AgentApi(lab);
        this.server = server;
        this.authorization = ("Bearer " + token).getBytes(StandardCharsets.US_ASCII);
    }

    /// Listens, then announces itself.
    static LabApi start(Lab lab) throws IOException {
        var secret = new byte[TOKEN_BYTES];
        new SecureRandom().nextBytes(secret);
        var token = HexFormat.of().formatHex(secret);
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        var api = new LabApi(lab, server, token);
        server.createContext("/", api::handle);
        server.setExecutor(api.threads);
        server.start();
        var announcement = new LinkedHashMap<String, Object>();
        announcement.put("lab", lab.name().value());
        announcement.put("pid", ProcessHandle.current().pid());
        announcement.put("port", server.getAddress().getPort());
        announcement.put("token", token);
        var directory = lab.name().stateDir();
        var fresh = directory.resolve("api.json.new");
        Files.deleteIfExists(fresh);
        Files.createFile(fresh, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.write(fresh, JSON.writeValueAsBytes(announcement));
        Files.move(fresh, directory.resolve("api.json"), StandardCopyOption.ATOMIC_MOVE);
        return api;
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            var given = Optional.ofNullable(exchange.getRequestHeaders().getFirst("Authorization"))
                    .orElse("");
            if (!MessageDigest.isEqual(given.getBytes(StandardCharsets.UTF_8), authorization)) {
                send(exchange, 401, Map.of("error", "the token of api.json is missing or not the right one"));
                return;
            }
            try {
                var path = exchange.getRequestURI().getPath();
                var answer = path.startsWith(AGENTS)
                        ? agents.answer(exchange.getRequestMethod(), path.substring(AGENTS.length()), query(exchange))
                        : path.equals("/prove")
                                ? Optional.<Object>of(prove(exchange.getRequestMethod(), query(exchange)))
                                : answer(path, query(exchange));
                if (answer.isPresent()) {
                    send(exchange, 200, answer.get());
                } else {
                    send(
                            exchange,
                            404,
                            Map.of(
                                    "error",
                                    "no such thing here: "
                                            + exchange.getRequestURI().getPath()));
                }
            } catch (IllegalArgumentException e) {
                send(exchange, 404, Map.of("error", String.valueOf(e.getMessage())));
            } catch (IOException e) {
                send(exchange, 502, Map.of("error", String.valueOf(e.getMessage())));
            } catch (RuntimeException e) {
                LOG.error("request={} failed", exchange.getRequestURI(), e);
                send(exchange, 500, Map.of("error", "the lab failed: see daemon.log"));
            }
        }
    }

    private Optional<Object> answer(String path, Map<String, String> query) throws IOException {
        return switch (path) {
            case "/status" -> Optional.of(status());
            case "/problems" ->
                Optional.of(lab.problems().stream().map(LabApi::problem).toList());
            case "/pods" ->
                Optional.of(lab.pods().stream()
                        .sorted(Comparator.comparing(RunningPod::namespace).thenComparing(RunningPod::name))
                        .map(LabApi::pod)
                        .toList());
            case "/services" ->
                Optional.of(lab.state()
                        .objects(ServiceObject.class)
                        .map(this::service)
                        .toList());
            case "/workloads" ->
                Optional.of(
                        lab.mesh().workloads().stream().map(LabApi::workload).toList());
            case "/exec" -> {
                var pod = lab.pod(query.getOrDefault("pod", ""));
                var container = query.getOrDefault(
                        "container", pod.pod().spec().containers().getFirst().name());
                yield Optional.of(Map.of("argv", lab.enter(pod, container)));
            }
            case "/why" ->
                Optional.of(new Explainer(lab)
                        .why(required(query, "from"), required(query, "to"), query.containsKey("probe")));
            case "/logs" -> Optional.of(logs(query));
            default -> Optional.empty();
        };
    }

    private Map<String, Object> prove(String method, Map<String, String> query) throws IOException {
        if (!method.equals("POST")) {
            throw new IllegalArgumentException("/prove: sends something (expected: POST)");
        }
        return new Prover(lab).prove(required(query, "from"), required(query, "to"));
    }

    private static String required(Map<String, String> query, String name) {
        var value = query.getOrDefault(name, "");
        if (value.isEmpty()) {
            throw new IllegalArgumentException("'" + name + "' is missing");
        }
        return value;
    }

    private Map<String, Object> status() {
        var pending = lab.pending();
        return Map.of("state", pending.isEmpty() ? "ready" : "starting", "pending", pending);
    }

    private static Map<String, Object> problem(Problem problem) {
        return Map.of("severity", problem.severity().name().toLowerCase(Locale.ROOT), "text", problem.toString());
    }

    private static Map<String, Object> pod(RunningPod pod) {
        var json = new LinkedHashMap<String, Object>();
        json.put("namespace", pod.namespace());
        json.put("name", pod.name());
        json.put("node", pod.node());
        json.put(
                "phase",
                pod.terminating() ? "Terminating" : capitalized(pod.phase().name()));
        json.put("ready", pod.ready());
        json.put("ips", texts(pod.ips()));
        json.put("mesh", pod.redirected() ? "captured" : "-");
        json.put("serviceAccount", pod.pod().spec().serviceAccountName());
        var owner = pod.owner();
        json.put("owner", owner == null ? "" : owner.kind() + "/" + owner.name());
        json.put("labels", pod.pod().meta().labels());
        return json;
    }

    private Map<String, Object> service(ServiceObject service) {
        var json = new LinkedHashMap<String, Object>();
        json.put("namespace", service.meta().namespace());
        json.put("name", service.meta().name());
        json.put("type", service.headless() ? "Headless" : type(service.type()));
        json.put("addresses", texts(service.clusterIps()));
        json.put(
                "ports",
                service.ports().stream()
                        .map(port -> (port.name().isEmpty() ? "" : port.name() + " ") + port.port() + "->"
                                + port.targetPort())
                        .toList());
        json.put(
                "endpoints",
                lab.pods().stream()
                        .filter(pod -> service.selects(
                                pod.namespace(), pod.pod().meta().labels()))
                        .filter(pod -> !pod.terminating() && (pod.ready() || service.publishNotReadyAddresses()))
                        .count());
        json.put("selector", service.selector());
        return json;
    }

    private static String type(ServiceObject.Type type) {
        return switch (type) {
            case CLUSTER_IP -> "ClusterIP";
            case NODE_PORT -> "NodePort";
            case LOAD_BALANCER -> "LoadBalancer";
            case EXTERNAL_NAME -> "ExternalName";
        };
    }

    private static Map<String, Object> workload(Workload workload) {
        var json = new LinkedHashMap<String, Object>();
        json.put("namespace", workload.namespace());
        json.put("name", workload.name());
        json.put("node", workload.node());
        json.put("ips", texts(workload.addresses()));
        json.put("identity", workload.provableIdentity().map(Object::toString).orElse(""));
        json.put("protocol", workload.tunnel() == Workload.TunnelProtocol.HBONE ? "HBONE" : "TCP");
        json.put("status", capitalized(workload.status().name()));
        json.put(
                "services",
                workload.services().keySet().stream()
                        .map(Object::toString)
                        .sorted()
                        .toList());
        json.put("uid", workload.uid());
        return json;
    }

    private List<Map<String, Object>> logs(Map<String, String> query) {
        var pod = lab.pod(query.getOrDefault("pod", ""));
        var wanted = Optional.ofNullable(query.get("container"));
        var names = new ArrayList<String>();
        if (wanted.isPresent()) {
            names.add(wanted.get());
        } else {
            pod.pod().spec().containers().forEach(container -> names.add(container.name()));
        }
        return names.stream()
                .map(container -> Map.<String, Object>of(
                        "container", container, "path", lab.log(pod, container).toString()))
                .toList();
    }

    private static List<String> texts(List<InetAddress> addresses) {
        return addresses.stream().map(NetUtil::toAddressString).toList(); // fd00::1, not fd00:0:0:0:0:0:0:1
    }

    private static String capitalized(String constant) {
        return constant.charAt(0) + constant.substring(1).toLowerCase(Locale.ROOT);
    }

    private static Map<String, String> query(HttpExchange exchange) {
        var raw = Optional.ofNullable(exchange.getRequestURI().getRawQuery()).orElse("");
        var query = new HashMap<String, String>();
        Arrays.stream(raw.split("&")).filter(part -> part.contains("=")).forEach(part -> {
            int equals = part.indexOf('=');
            query.put(part.substring(0, equals), URLDecoder.decode(part.substring(equals + 1), StandardCharsets.UTF_8));
        });
        return query;
    }

    private static void send(HttpExchange exchange, int status, Object body) throws IOException {
        var bytes = JSON.writeValueAsBytes(body);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
