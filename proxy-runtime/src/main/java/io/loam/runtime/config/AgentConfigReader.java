package io.loam.runtime.config;

import io.loam.runtime.config.UpstreamConfig.BearerToken;
import io.loam.runtime.config.UpstreamConfig.RootCertificates;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Builds an {@link AgentConfig} from environment variables. It reports every problem at once, because a start that
/// fails again after each correction is a bad way to learn what is expected.
public final class AgentConfigReader {
    private static final String DEFAULT_UPSTREAM = "https://istiod.istio-system.svc:15012";
    private static final Path DEFAULT_ROOT = Path.of("var/run/secrets/istio/root-cert.pem");
    private static final Path DEFAULT_TOKEN = Path.of("var/run/secrets/tokens/istio-token");
    private static final Path DEFAULT_ZDS_SOCKET = Path.of("/var/run/ztunnel/ztunnel.sock");

    /// Our own keys. Any other that begins with `LOAM_` is a spelling mistake that must not pass in silence.
    private static final Set<String> OWN_KEYS =
            new TreeSet<>(Set.of("LOAM_ADMIN_PORT", "LOAM_STATS_PORT", "LOAM_READINESS_PORT"));

    /// Settings of ztunnel that we understand well enough to refuse: they would weaken or change what the caller
    /// expects.
    private static final Map<String, String> REFUSED = Map.of(
            "FAKE_CA", "self-signed test certificates are not offered; run ca-server",
            "TLS12_ENABLED", "tunnels speak TLS 1.3 only",
            "XDS_ON_DEMAND", "on-demand discovery is not offered yet",
            "UNSTABLE_ENABLE_SOCKS5", "there is no SOCKS listener");

    private static final Pattern DURATION = Pattern.compile("([0-9]+)(ms|s|m|h)");

    private final Map<String, String> environment;
    private final int cores;
    private final List<String> problems = new ArrayList<>();

    private AgentConfigReader(Map<String, String> environment, int cores) {
        this.environment = environment;
        this.cores = cores;
    }

    /// @param cores processors this process may use
    /// @throws ConfigException with one line per problem
    public static AgentConfig read(Map<String, String> environment, int cores) {
        return new AgentConfigReader(environment, cores).read();
    }

    private AgentConfig read() {
        refuseUnknownKeys();
        var node = part(this::node);
        var controlPlane = part(() -> upstream("XDS"));
        var authority = part(() -> upstream("CA"));
        var sockets = part(this::sockets);
        var tunnels = part(this::tunnels);
        var drain = part(this::drain);
        var admin = part(() -> new AdminConfig(
                integer("LOAM_ADMIN_PORT", 15000),
                integer("LOAM_STATS_PORT", 15020),
                integer("LOAM_READINESS_PORT", 15021)));
        var log = part(this::log);
        var lifetime = duration("SECRET_TTL", Duration.ofHours(24));
        int workers = workers();
        if (node == null
                || controlPlane == null
                || authority == null
                || sockets == null
                || tunnels == null
                || drain == null
                || admin == null
                || log == null
                || !problems.isEmpty()) {
            throw new ConfigException(String.join("\n", problems));
        }
        return new AgentConfig(
                node,
                controlPlane,
                authority,
                sockets,
                tunnels,
                drain,
                admin,
                log,
                Path.of(text("INPOD_UDS", DEFAULT_ZDS_SOCKET.toString())),
                lifetime,
                workers);
    }

    private void refuseUnknownKeys() {
        for (var key : new TreeSet<>(environment.keySet())) {
            if (key.startsWith("LOAM_") && !OWN_KEYS.contains(key)) {
                problems.add(key + ": unknown setting (expected: one of " + String.join(", ", OWN_KEYS) + ")");
            }
            var reason = REFUSED.get(key);
            if (reason != null && flag(key, false)) {
                problems.add(key + ": true (expected: not set; " + reason + ")");
            }
        }
        if (!text("PROXY_MODE", "shared").equals("shared")) {
            problems.add("PROXY_MODE: " + text("PROXY_MODE", "") + " (expected: shared; one agent serves the node)");
        }
    }

    private NodeConfig node() {
        var nodeName = text("NODE_NAME", "");
        return new NodeConfig(
                nodeName,
                text("CLUSTER_ID", text("ISTIO_META_CLUSTER_ID", "Kubernetes")),
                text("NETWORK", ""),
                text("TRUST_DOMAIN", "cluster.local"),
                text("CLUSTER_DOMAIN", "cluster.local"),
                text("POD_NAME", "ztunnel-" + nodeName),
                text("POD_NAMESPACE", "loam-system"),
                text("SERVICE_ACCOUNT", "ztunnel"),
                text("INSTANCE_IP", "1.1.1.1"),
                withPrefix("ISTIO_META_"));
    }

    private UpstreamConfig upstream(String prefix) {
        var key = prefix + "_ADDRESS";
        var given = text(key, DEFAULT_UPSTREAM);
        URI address;
        try {
            address = new URI(given.contains("://") ? given : "https://" + given);
        } catch (URISyntaxException e) {
            throw new ConfigException(key + ": " + given + " (expected: https://host:port; " + e.getReason() + ")");
        }
        try {
            return new UpstreamConfig(
                    address,
                    root(prefix + "_ROOT_CA"),
                    environment.get("ALT_" + prefix + "_HOSTNAME"),
                    token(),
                    text("CLUSTER_ID", text("ISTIO_META_CLUSTER_ID", "Kubernetes")),
                    withPrefix(prefix + "_HEADER_"));
        } catch (ConfigException e) {
            throw new ConfigException(key + ": " + e.getMessage());
        }
    }

    private RootCertificates root(String key) {
        var given = text(key, DEFAULT_ROOT.toString());
        if (given.equals("SYSTEM")) {
            return new RootCertificates.OperatingSystem();
        }
        return given.contains("-----BEGIN")
                ? new RootCertificates.Inline(given)
                : new RootCertificates.File(Path.of(given));
    }

    /// ztunnel takes a path or the token itself; a token never looks like an existing file.
    private @Nullable BearerToken token() {
        var given = environment.get("AUTH_TOKEN");
        if (given == null || given.isEmpty()) {
            return Files.exists(DEFAULT_TOKEN) ? new BearerToken.File(DEFAULT_TOKEN) : null;
        }
        return given.startsWith("/") || Files.exists(Path.of(given))
                ? new BearerToken.File(Path.of(given))
                : new BearerToken.Literal(given);
    }

    private SocketConfig sockets() {
        return new SocketConfig(
                integer("PACKET_MARK", SocketConfig.DEFAULT_MARK),
                flag("IPV6_ENABLED", true),
                flag("INPOD_PORT_REUSE", true),
                flag("ENABLE_ORIG_SRC", true),
                new SocketConfig.KeepAlive(
                        flag("KEEPALIVE_ENABLED", true),
                        duration("KEEPALIVE_TIME", Duration.ofSeconds(180)),
                        duration("KEEPALIVE_INTERVAL", Duration.ofSeconds(180)),
                        integer("KEEPALIVE_RETRIES", 9),
                        flag("USER_TIMEOUT_ENABLED", false)),
                Duration.ofSeconds(10));
    }

    private TunnelConfig tunnels() {
        return new TunnelConfig(
                integer("HTTP2_STREAM_WINDOW_SIZE", 4 << 20),
                integer("HTTP2_CONNECTION_WINDOW_SIZE", 16 << 20),
                integer("HTTP2_FRAME_SIZE", 64 << 10),
                integer("POOL_MAX_STREAMS_PER_CONNECTION", 100),
                duration("POOL_UNUSED_RELEASE_TIMEOUT", Duration.ofMinutes(5)),
                flag("ENABLE_RESPONSE_BAGGAGE", true));
    }

    private DrainConfig drain() {
        if (environment.containsKey("CONNECTION_TERMINATION_DEADLINE")) {
            return new DrainConfig(duration("CONNECTION_TERMINATION_DEADLINE", Duration.ofSeconds(5)));
        }
        return environment.containsKey("TERMINATION_GRACE_PERIOD_SECONDS")
                ? DrainConfig.withinGracePeriod(integer("TERMINATION_GRACE_PERIOD_SECONDS", 30))
                : new DrainConfig(Duration.ofSeconds(5));
    }

    private LogConfig log() {
        var format = text("LOG_FORMAT", "plain");
        var level = text("RUST_LOG", "info");
        if (!Set.of("error", "warn", "info", "debug", "trace").contains(level)) {
            problems.add("RUST_LOG: " + level + " (expected: error, warn, info, debug or trace)");
        }
        return new LogConfig(
                level,
                switch (format) {
                    case "plain", "text" -> LogConfig.Format.PLAIN;
                    case "json" -> LogConfig.Format.JSON;
                    default -> throw new ConfigException("LOG_FORMAT: " + format + " (expected: plain or json)");
                });
    }

    private int workers() {
        var given = environment.get("ZTUNNEL_WORKER_THREADS");
        if (given == null || given.isEmpty()) {
            return Math.max(2, (cores + 3) / 4);
        }
        try {
            if (given.endsWith("%")) {
                int percent = Integer.parseInt(given.substring(0, given.length() - 1));
                return Math.max(1, (cores * percent + 99) / 100);
            }
            int count = Integer.parseInt(given);
            return count == 0 ? cores : count;
        } catch (NumberFormatException e) {
            problems.add("ZTUNNEL_WORKER_THREADS: " + given + " (expected: a number, N%, or 0 for all cores)");
            return 1;
        }
    }

    /// Builds one record and turns what it refuses into a problem.
    private <T> @Nullable T part(Supplier<T> build) {
        try {
            return build.get();
        } catch (ConfigException e) {
            problems.add(String.valueOf(e.getMessage()));
            return null;
        }
    }

    private String text(String key, String fallback) {
        return environment.getOrDefault(key, fallback);
    }

    private boolean flag(String key, boolean fallback) {
        var given = environment.get(key);
        if (given == null || given.isEmpty()) {
            return fallback;
        }
        return switch (given) {
            case "true", "1" -> true;
            case "false", "0" -> false;
            default -> {
                problems.add(key + ": " + given + " (expected: true or false)");
                yield fallback;
            }
        };
    }

    private int integer(String key, int fallback) {
        var given = environment.get(key);
        if (given == null || given.isEmpty()) {
            return fallback;
        }
        try {
            return Integer.parseInt(given);
        } catch (NumberFormatException e) {
            problems.add(key + ": " + given + " (expected: a whole number)");
            return fallback;
        }
    }

    private Duration duration(String key, Duration fallback) {
        var given = environment.get(key);
        if (given == null || given.isEmpty()) {
            return fallback;
        }
        var match = DURATION.matcher(given);
        if (!match.matches()) {
            problems.add(key + ": " + given + " (expected: a number with ms, s, m or h, for example 180s)");
            return fallback;
        }
        long amount = Long.parseLong(match.group(1));
        return switch (match.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            case "m" -> Duration.ofMinutes(amount);
            default -> Duration.ofHours(amount);
        };
    }

    private Map<String, String> withPrefix(String prefix) {
        var found = new HashMap<String, String>();
        environment.forEach((key, value) -> {
            if (key.startsWith(prefix) && key.length() > prefix.length()) {
                found.put(key.substring(prefix.length()), value);
            }
        });
        return found;
    }
}
