package io.loam.runtime.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.TextNode;
import io.loam.protocol.tls.KeyExchange;
import io.loam.protocol.tls.Pem;
import io.loam.runtime.config.UpstreamConfig.BearerToken;
import io.loam.runtime.config.UpstreamConfig.RootCertificates;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
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
    private static final Set<String> OWN_KEYS = new TreeSet<>(Set.of(
            "LOAM_ADMIN_PORT",
            "LOAM_STATS_PORT",
            "LOAM_READINESS_PORT",
            "LOAM_TLS_GROUPS",
            "LOAM_STATE_DIR",
            "LOAM_MESH_MAX_AGE",
            "LOAM_DNS_RESOLVERS",
            "LOAM_DNS_TIMEOUT",
            "LOAM_DNS_MAX_FORWARDED",
            "LOAM_DNS_MAX_FORWARDED_PER_POD"));

    /// Settings of ztunnel that we understand well enough to refuse: they would weaken or change what the caller
    /// expects.
    private static final Map<String, String> REFUSED_IF_TRUE = Map.of(
            "FAKE_CA", "self-signed test certificates are not offered; run ca-server",
            "TLS12_ENABLED", "tunnels speak TLS 1.3 only",
            "UNSTABLE_ENABLE_SOCKS5", "there is no SOCKS listener",
            "LOCALHOST_APP_TUNNEL", "application tunnels are not offered yet, connections that need one are refused",
            "AUTHZ_POLICY_INFO_LOGGING", "the access log names the policy that refused a connection");

    /// As above, for settings that matter whatever their value.
    private static final Map<String, String> REFUSED_IF_SET = Map.of(
            "PROXY_WORKLOAD_INFO", "one agent serves the node, not one workload",
            "PROXY_CONFIG", "mesh configuration in YAML is not read; use the variables of its settings",
            "LOCAL_XDS", "workloads come from the control plane only",
            "LOCAL_XDS_PATH", "workloads come from the control plane only",
            "ISTIO_META_DNS_PROXY_ADDR", "the redirection rules know no other port than 15053 on loopback");

    private static final Path RESOLV_CONF = Path.of("/etc/resolv.conf");

    private static final Pattern DURATION = Pattern.compile("([0-9]{1,12})(ms|s|m|h)");

    /// Far above what any setting needs, far below where nanoseconds overflow.
    private static final Duration LONGEST = Duration.ofDays(3650);

    /// A Kubernetes quantity of processors: `2`, `0.5`, `500m`.
    private static final Pattern PROCESSORS = Pattern.compile("([0-9]{1,5})(m|\\.[0-9]{1,9})?");

    /// What gRPC takes as the name of a text header.
    private static final Pattern HEADER = Pattern.compile("[0-9A-Za-z_.-]+(?<!-bin)");

    private static final Pattern WORKERS = Pattern.compile("([0-9]{1,4})(%)?");

    private static final ObjectMapper JSON = new ObjectMapper();

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
        var tls = part(this::tls);
        var dns = part(this::dns);
        var drain = part(this::drain);
        var admin = part(() -> new AdminConfig(
                integer("LOAM_ADMIN_PORT", 15000),
                integer("LOAM_STATS_PORT", 15020),
                integer("LOAM_READINESS_PORT", 15021)));
        var log = part(this::log);
        var lifetime = duration("SECRET_TTL", Duration.ofHours(24));
        check(() -> AgentConfig.checkLifetime(lifetime));
        boolean onDemand = flag("XDS_ON_DEMAND", false);
        var meshMaxAge = duration("LOAM_MESH_MAX_AGE", onDemand ? Duration.ZERO : Duration.ofHours(24));
        if (dns != null) {
            check(() -> AgentConfig.checkOnDemand(onDemand, dns, meshMaxAge));
        }
        int workers = workers();
        if (sockets != null) {
            check(() -> AgentConfig.checkWorkers(workers, sockets));
        }
        if (node == null
                || controlPlane == null
                || authority == null
                || sockets == null
                || tunnels == null
                || tls == null
                || dns == null
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
                tls,
                dns,
                drain,
                admin,
                log,
                Path.of(text("INPOD_UDS", DEFAULT_ZDS_SOCKET.toString())),
                onDemand,
                text("LOAM_STATE_DIR", ""),
                meshMaxAge,
                lifetime,
                workers);
    }

    private void refuseUnknownKeys() {
        for (var key : new TreeSet<>(environment.keySet())) {
            if (key.startsWith("LOAM_") && !OWN_KEYS.contains(key)) {
                problems.add(key + ": unknown setting (expected: one of " + String.join(", ", OWN_KEYS) + ")");
            }
            var ifTrue = REFUSED_IF_TRUE.get(key);
            if (ifTrue != null && flag(key, false)) {
                problems.add(key + ": true (expected: not set; " + ifTrue + ")");
            }
            var ifSet = REFUSED_IF_SET.get(key);
            if (ifSet != null && !text(key, "").isEmpty()) {
                problems.add(key + ": " + shown(text(key, "")) + " (expected: not set; " + ifSet + ")");
            }
        }
        if (!flag("ENABLE_PROXY", true)) {
            problems.add("ENABLE_PROXY: false (expected: true; without its data path the agent has nothing to do)");
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
                metadata());
    }

    private Map<String, JsonNode> metadata() {
        var metadata = new HashMap<String, JsonNode>();
        withPrefix("ISTIO_META_").forEach((name, value) -> metadata.put(name, TextNode.valueOf(value)));
        withPrefix("ISTIO_METAJSON_").forEach((name, value) -> {
            try {
                metadata.put(name, JSON.readTree(value));
            } catch (JsonProcessingException e) {
                problems.add("ISTIO_METAJSON_" + name + ": " + shown(value) + " (expected: JSON; "
                        + e.getOriginalMessage() + ")");
            }
        });
        return metadata;
    }

    /// A file given by mistake in place of its path shall not fill the screen.
    private static String shown(String value) {
        var line = value.lines().findFirst().orElse("");
        return line.length() <= 60 && line.equals(value) ? value : line.substring(0, Math.min(line.length(), 60)) + "…";
    }

    private UpstreamConfig upstream(String prefix) {
        var key = prefix + "_ADDRESS";
        if ("".equals(environment.get(key))) {
            throw new ConfigException(key + ": \"\" (expected: https://host:port; the agent does nothing without it)");
        }
        var given = text(key, DEFAULT_UPSTREAM);
        var headers = withPrefix(prefix + "_HEADER_");
        for (var name : new TreeSet<>(headers.keySet())) {
            if (!HEADER.matcher(name).matches()) {
                problems.add(prefix + "_HEADER_" + name + ": not the name of a text header (expected: letters, digits,"
                        + " '-', '_' and '.', not ending in -bin)");
            }
        }
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
                    optional("ALT_" + prefix + "_HOSTNAME"),
                    token(),
                    text("CLUSTER_ID", text("ISTIO_META_CLUSTER_ID", "Kubernetes")),
                    headers);
        } catch (ConfigException e) {
            throw new ConfigException(key + ": " + e.getMessage());
        }
    }

    private RootCertificates root(String key) {
        var given = text(key, DEFAULT_ROOT.toString());
        if (given.equals("SYSTEM")) {
            return new RootCertificates.OperatingSystem();
        }
        if (!given.contains("-----BEGIN")) {
            return new RootCertificates.File(Path.of(given));
        }
        try {
            if (Pem.certificates(given).isEmpty()) {
                problems.add(key + ": " + shown(given) + " (expected: at least one certificate)");
            }
        } catch (GeneralSecurityException e) {
            problems.add(key + ": " + shown(given) + " (expected: certificates; " + e.getMessage() + ")");
        }
        return new RootCertificates.Inline(given);
    }

    /// ztunnel takes a path or the token itself; a JWT has no slash in it.
    private @Nullable BearerToken token() {
        var given = optional("AUTH_TOKEN");
        if (given == null) {
            return Files.exists(DEFAULT_TOKEN) ? new BearerToken.File(DEFAULT_TOKEN) : null;
        }
        return given.contains("/") || Files.exists(Path.of(given))
                ? new BearerToken.File(Path.of(given))
                : new BearerToken.Literal(given);
    }

    private SocketConfig sockets() {
        var keepAlive = part(this::keepAlive);
        return new SocketConfig(
                integer("PACKET_MARK", SocketConfig.DEFAULT_MARK),
                flag("IPV6_ENABLED", true),
                flag("INPOD_PORT_REUSE", true),
                flag("ENABLE_ORIG_SRC", true),
                keepAlive == null ? SocketConfig.KeepAlive.DEFAULT : keepAlive, // the problem is noted
                Duration.ofSeconds(10));
    }

    private SocketConfig.KeepAlive keepAlive() {
        var defaults = SocketConfig.KeepAlive.DEFAULT;
        return new SocketConfig.KeepAlive(
                flag("KEEPALIVE_ENABLED", defaults.enabled()),
                duration("KEEPALIVE_TIME", defaults.time()),
                duration("KEEPALIVE_INTERVAL", defaults.interval()),
                integer("KEEPALIVE_RETRIES", defaults.retries()),
                flag("USER_TIMEOUT_ENABLED", defaults.userTimeout()));
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

    private TlsConfig tls() {
        var policy = text("COMPLIANCE_POLICY", "");
        var groups = optional("LOAM_TLS_GROUPS");
        var crl = optional("CRL_PATH");
        var revocationLists = crl == null ? null : Path.of(crl);
        if (policy.isEmpty()) {
            return new TlsConfig(groups == null ? KeyExchange.DEFAULT : keyExchanges(groups), revocationLists);
        }
        if (!policy.equals("pqc")) {
            problems.add("COMPLIANCE_POLICY: " + shown(policy)
                    + " (expected: pqc, or not set; TLS 1.3 with AES is all there is anyway)");
        } else if (groups != null) {
            problems.add("LOAM_TLS_GROUPS: " + shown(groups) + " (expected: not set, since COMPLIANCE_POLICY=pqc takes "
                    + KeyExchange.X25519MLKEM768 + " only)");
        }
        return new TlsConfig(List.of(KeyExchange.X25519MLKEM768), revocationLists);
    }

    private List<KeyExchange> keyExchanges(String given) {
        var found = new ArrayList<KeyExchange>();
        for (var name : given.split(",", -1)) {
            found.add(KeyExchange.named(name.strip())
                    .orElseThrow(() -> new ConfigException("LOAM_TLS_GROUPS: " + shown(given)
                            + " (expected: names out of " + KeyExchange.DEFAULT + ", separated by commas)")));
        }
        return found;
    }

    private DnsConfig dns() {
        return new DnsConfig(
                flag("ISTIO_META_DNS_CAPTURE", true),
                text("PREFERED_SERVICE_NAMESPACE", ""),
                resolvers(),
                duration("LOAM_DNS_TIMEOUT", DnsConfig.DEFAULT_TIMEOUT),
                integer("LOAM_DNS_MAX_FORWARDED", DnsConfig.DEFAULT_MAX_FORWARDED),
                integer("LOAM_DNS_MAX_FORWARDED_PER_POD", DnsConfig.DEFAULT_MAX_FORWARDED_PER_POD));
    }

    private List<InetAddress> resolvers() {
        var given = optional("LOAM_DNS_RESOLVERS");
        if (given == null) {
            try {
                return Files.exists(RESOLV_CONF) ? DnsConfig.nameservers(Files.readAllLines(RESOLV_CONF)) : List.of();
            } catch (IOException e) {
                problems.add("LOAM_DNS_RESOLVERS: not set (expected: addresses, since " + RESOLV_CONF
                        + " cannot be read: " + e.getMessage() + ")");
                return List.of();
            }
        }
        var found = new ArrayList<InetAddress>();
        for (var text : given.split(",")) {
            try {
                found.add(InetAddress.ofLiteral(text.strip()));
            } catch (IllegalArgumentException e) {
                problems.add(
                        "LOAM_DNS_RESOLVERS: " + shown(text.strip()) + " (expected: IP addresses separated by commas)");
            }
        }
        return found;
    }

    private DrainConfig drain() {
        if (optional("CONNECTION_TERMINATION_DEADLINE") != null) {
            return new DrainConfig(duration("CONNECTION_TERMINATION_DEADLINE", Duration.ofSeconds(5)));
        }
        return optional("TERMINATION_GRACE_PERIOD_SECONDS") != null
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
        int available = processors("ZTUNNEL_CPU_LIMIT", cores);
        int limit = processors("ZTUNNEL_RESOURCE_CPU_LIMIT", 0);
        int request = processors("ZTUNNEL_RESOURCE_CPU_REQUEST", 0);
        var given = optional("ZTUNNEL_WORKER_THREADS");
        if (given == null) {
            return limit > 0 ? limit : Math.max(2, Math.max((available + 3) / 4, request));
        }
        var match = WORKERS.matcher(given);
        if (!match.matches()) {
            problems.add("ZTUNNEL_WORKER_THREADS: " + given + " (expected: a number, N%, or 0 for all cores)");
            return 1;
        }
        int number = Integer.parseInt(match.group(1));
        if (match.group(2) != null) {
            return Math.max(1, (available * number + 99) / 100);
        }
        return number == 0 ? available : number;
    }

    /// Rounded up: a share of a processor needs a thread, too.
    private int processors(String key, int fallback) {
        var given = optional(key);
        if (given == null) {
            return fallback;
        }
        var match = PROCESSORS.matcher(given);
        if (!match.matches()) {
            problems.add(key + ": " + given + " (expected: processors as in Kubernetes, for example 2 or 500m)");
            return fallback;
        }
        int number = Integer.parseInt(match.group(1));
        var unit = match.group(2);
        int whole = unit == null ? number : unit.equals("m") ? (number + 999) / 1000 : number + 1;
        return Math.max(1, whole);
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

    private void check(Runnable check) {
        var _ = part(() -> {
            check.run();
            return "";
        });
    }

    /// Charts set variables to "" where they mean nothing by it.
    private String text(String key, String fallback) {
        var given = optional(key);
        return given == null ? fallback : given;
    }

    private @Nullable String optional(String key) {
        var given = environment.get(key);
        return given == null || given.isEmpty() ? null : given;
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
        var duration = switch (match.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            case "m" -> Duration.ofMinutes(amount);
            default -> Duration.ofHours(amount);
        };
        if (duration.compareTo(LONGEST) > 0) {
            problems.add(key + ": " + given + " (expected: at most " + LONGEST.toHours() + "h)");
            return fallback;
        }
        return duration;
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
