package io.loam.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.protocol.tls.KeyExchange;
import io.loam.runtime.config.UpstreamConfig.BearerToken;
import io.loam.runtime.config.UpstreamConfig.RootCertificates;
import java.net.InetAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Wire reference, section 11: each setting with its default, a value that counts and one that is refused.
class AgentConfigReaderTest {
    private static final int CORES = 8;

    @TempDir
    private Path folder = Path.of("");

    private record Setting(String key, Function<AgentConfig, Object> value) {
        Arguments row(Object byDefault, String given, Object then) {
            return Arguments.of(key, value, byDefault, given, then);
        }
    }

    private static Setting of(String key, Function<AgentConfig, Object> value) {
        return new Setting(key, value);
    }

    private static Stream<Arguments> settings() {
        var istiod = URI.create("https://istiod.istio-system.svc:15012");
        return Stream.of(
                of("CLUSTER_ID", c -> c.node().clusterId()).row("Kubernetes", "east", "east"),
                of("ISTIO_META_CLUSTER_ID", c -> c.node().clusterId()).row("Kubernetes", "east", "east"),
                of("NETWORK", c -> c.node().network()).row("", "net-1", "net-1"),
                of("TRUST_DOMAIN", c -> c.node().trustDomain()).row("cluster.local", "corp.example", "corp.example"),
                of("CLUSTER_DOMAIN", c -> c.node().clusterDomain()).row("cluster.local", "k8s.test", "k8s.test"),
                of("POD_NAME", c -> c.node().podName()).row("ztunnel-node-1", "ztunnel-x", "ztunnel-x"),
                of("POD_NAMESPACE", c -> c.node().podNamespace()).row("loam-system", "istio-system", "istio-system"),
                of("SERVICE_ACCOUNT", c -> c.node().serviceAccount()).row("ztunnel", "agent", "agent"),
                of("INSTANCE_IP", c -> c.node().instanceIp()).row("1.1.1.1", "10.0.0.9", "10.0.0.9"),
                of("ISTIO_META_REGION", c -> c.node().metadata().get("REGION") + "")
                        .row("null", "eu", "\"eu\""),
                of("ISTIO_METAJSON_LABELS", c -> c.node().metadata().get("LABELS") + "")
                        .row("null", "{\"a\":[1,true]}", "{\"a\":[1,true]}"),
                of("XDS_ADDRESS", c -> c.controlPlane().address())
                        .row(istiod, "https://cp.test:15012", URI.create("https://cp.test:15012")),
                of("XDS_ADDRESS", c -> c.controlPlane().address())
                        .row(istiod, "cp.test:15012", URI.create("https://cp.test:15012")),
                of("XDS_ADDRESS", c -> c.controlPlane().tls()).row(true, "http://cp.test:15010", false),
                of("CA_ADDRESS", c -> c.certificateAuthority().address())
                        .row(istiod, "https://[fd00::1]:15012", URI.create("https://[fd00::1]:15012")),
                of("XDS_ROOT_CA", c -> c.controlPlane().root())
                        .row(
                                new RootCertificates.File(Path.of("var/run/secrets/istio/root-cert.pem")),
                                "SYSTEM",
                                new RootCertificates.OperatingSystem()),
                of("CA_ROOT_CA", c -> c.certificateAuthority().root())
                        .row(
                                new RootCertificates.File(Path.of("var/run/secrets/istio/root-cert.pem")),
                                "/etc/roots.pem",
                                new RootCertificates.File(Path.of("/etc/roots.pem"))),
                of("ALT_XDS_HOSTNAME", c -> c.controlPlane().serverName() + "").row("null", "cp.test", "cp.test"),
                of("ALT_CA_HOSTNAME", c -> c.certificateAuthority().serverName() + "")
                        .row("null", "ca.test", "ca.test"),
                of("AUTH_TOKEN", c -> c.controlPlane().token() + "")
                        .row("null", "/run/token", new BearerToken.File(Path.of("/run/token")) + ""),
                of("AUTH_TOKEN", c -> c.certificateAuthority().token() + "")
                        .row("null", "eyJ.eyJ.x", "Literal[hidden]"),
                of("XDS_HEADER_x-team", c -> c.controlPlane().headers())
                        .row(Map.of(), "mesh", Map.of("x-team", "mesh")),
                of("CA_HEADER_x-team", c -> c.certificateAuthority().headers())
                        .row(Map.of(), "mesh", Map.of("x-team", "mesh")),
                of("SECRET_TTL", AgentConfig::certificateLifetime)
                        .row(Duration.ofHours(24), "20s", Duration.ofSeconds(20)),
                of("PACKET_MARK", c -> c.sockets().mark()).row(1337, "5433", 0x1539),
                of("ENABLE_ORIG_SRC", c -> c.sockets().keepSource()).row(true, "false", false),
                of("IPV6_ENABLED", c -> c.sockets().ipv6()).row(true, "0", false),
                of("INPOD_PORT_REUSE", c -> c.sockets().reusePort()).row(true, "1", true),
                of("INPOD_UDS", AgentConfig::zdsSocket)
                        .row(Path.of("/var/run/ztunnel/ztunnel.sock"), "/run/z.sock", Path.of("/run/z.sock")),
                of("LOAM_STATE_DIR", AgentConfig::stateDirectory).row("", "/run/loam/agent", "/run/loam/agent"),
                of("LOAM_MESH_MAX_AGE", AgentConfig::meshMaxAge).row(Duration.ofHours(24), "0s", Duration.ZERO),
                of("KEEPALIVE_ENABLED", c -> c.sockets().keepAlive().enabled()).row(true, "false", false),
                of("KEEPALIVE_TIME", c -> c.sockets().keepAlive().time())
                        .row(Duration.ofSeconds(180), "5m", Duration.ofMinutes(5)),
                of("KEEPALIVE_INTERVAL", c -> c.sockets().keepAlive().interval())
                        .row(Duration.ofSeconds(180), "1h", Duration.ofHours(1)),
                of("KEEPALIVE_RETRIES", c -> c.sockets().keepAlive().retries()).row(9, "3", 3),
                of("USER_TIMEOUT_ENABLED", c -> c.sockets().keepAlive().userTimeout())
                        .row(false, "true", true),
                of("HTTP2_STREAM_WINDOW_SIZE", c -> c.tunnels().streamWindowBytes())
                        .row(4 << 20, "65535", 65535),
                of("HTTP2_CONNECTION_WINDOW_SIZE", c -> c.tunnels().connectionWindowBytes())
                        .row(16 << 20, "4194304", 4 << 20),
                of("HTTP2_FRAME_SIZE", c -> c.tunnels().frameBytes()).row(64 << 10, "16384", 16384),
                of("POOL_MAX_STREAMS_PER_CONNECTION", c -> c.tunnels().streamsPerTunnel())
                        .row(100, "1", 1),
                of("POOL_UNUSED_RELEASE_TIMEOUT", c -> c.tunnels().unusedRelease())
                        .row(Duration.ofMinutes(5), "500ms", Duration.ofMillis(500)),
                of("ENABLE_RESPONSE_BAGGAGE", c -> c.tunnels().responseBaggage())
                        .row(true, "false", false),
                of("LOAM_TLS_GROUPS", c -> c.tls().keyExchanges())
                        .row(KeyExchange.DEFAULT, "x25519, P-256", List.of(KeyExchange.X25519, KeyExchange.P256)),
                of("CRL_PATH", c -> c.tls().revocationLists() + "").row("null", "/etc/crl.pem", "/etc/crl.pem"),
                of("COMPLIANCE_POLICY", c -> c.tls().keyExchanges())
                        .row(KeyExchange.DEFAULT, "pqc", List.of(KeyExchange.X25519MLKEM768)),
                of("CONNECTION_TERMINATION_DEADLINE", c -> c.drain().deadline())
                        .row(Duration.ofSeconds(5), "90s", Duration.ofSeconds(90)),
                of("TERMINATION_GRACE_PERIOD_SECONDS", c -> c.drain().deadline())
                        .row(Duration.ofSeconds(5), "30", Duration.ofSeconds(25)),
                of("TERMINATION_GRACE_PERIOD_SECONDS", c -> c.drain().deadline())
                        .row(Duration.ofSeconds(5), "10", Duration.ofSeconds(9)),
                of("TERMINATION_GRACE_PERIOD_SECONDS", c -> c.drain().deadline())
                        .row(Duration.ofSeconds(5), "1", Duration.ofSeconds(1)),
                of("ISTIO_META_DNS_CAPTURE", c -> c.dns().enabled()).row(true, "false", false),
                of("PREFERED_SERVICE_NAMESPACE", c -> c.dns().preferredNamespace())
                        .row("", "shop", "shop"),
                of("LOAM_DNS_TIMEOUT", c -> c.dns().timeout()).row(Duration.ofSeconds(4), "1s", Duration.ofSeconds(1)),
                of("LOAM_DNS_MAX_FORWARDED", c -> c.dns().maxForwarded()).row(4096, "65536", 65536),
                of("LOAM_DNS_MAX_FORWARDED_PER_POD", c -> c.dns().maxForwardedPerPod())
                        .row(512, "1", 1),
                of("RUST_LOG", c -> c.log().level()).row("info", "debug", "debug"),
                of("LOG_FORMAT", c -> c.log().format()).row(LogConfig.Format.PLAIN, "json", LogConfig.Format.JSON),
                of("LOAM_ADMIN_PORT", c -> c.admin().adminPort()).row(15000, "0", 0),
                of("LOAM_STATS_PORT", c -> c.admin().statsPort()).row(15020, "1", 1),
                of("LOAM_READINESS_PORT", c -> c.admin().readinessPort()).row(15021, "65535", 65535),
                of("ZTUNNEL_WORKER_THREADS", AgentConfig::workers).row(2, "3", 3),
                of("ZTUNNEL_WORKER_THREADS", AgentConfig::workers).row(2, "50%", 4),
                of("ZTUNNEL_WORKER_THREADS", AgentConfig::workers).row(2, "1%", 1),
                of("ZTUNNEL_WORKER_THREADS", AgentConfig::workers).row(2, "0", CORES),
                of("ZTUNNEL_CPU_LIMIT", AgentConfig::workers).row(2, "16", 4),
                of("ZTUNNEL_RESOURCE_CPU_LIMIT", AgentConfig::workers).row(2, "1500m", 2),
                of("ZTUNNEL_RESOURCE_CPU_LIMIT", AgentConfig::workers).row(2, "0.5", 1),
                of("ZTUNNEL_RESOURCE_CPU_REQUEST", AgentConfig::workers).row(2, "3", 3),
                of("ENABLE_PROXY", AgentConfig::workers).row(2, "true", 2),
                of("LOCALHOST_APP_TUNNEL", AgentConfig::workers).row(2, "false", 2),
                of("TLS12_ENABLED", AgentConfig::workers).row(2, "false", 2));
    }

    @ParameterizedTest(name = "{0}={3}")
    @MethodSource("settings")
    void aSettingCountsAndHasADefault(
            String key, Function<AgentConfig, Object> value, Object byDefault, String given, Object then) {
        assertThat(value.apply(read(Map.of()))).isEqualTo(byDefault);
        assertThat(value.apply(read(Map.of(key, given)))).isEqualTo(then);
        if (!key.endsWith("_ADDRESS") && !key.startsWith("ISTIO_META")) {
            assertThat(value.apply(read(Map.of(key, ""))).toString())
                    .as("\"\" means not set")
                    .isEqualTo(key.contains("_HEADER_") ? "{x-team=}" : byDefault.toString());
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            NODE_NAME                       |                | NODE_NAME: not set (expected: the name of the node this agent runs on)
            TRUST_DOMAIN                    | a/b            | TRUST_DOMAIN: a/b (expected: one or more of a-z A-Z 0-9 . _ -)
            ISTIO_METAJSON_X                | {"a":          | ISTIO_METAJSON_X: {"a": (expected: JSON; Unexpected end-of-input
            XDS_ADDRESS                     |                | XDS_ADDRESS: "" (expected: https://host:port; the agent does nothing without it)
            XDS_ADDRESS                     | istiod         | XDS_ADDRESS: https://istiod (expected: https://host:port,
            XDS_ADDRESS                     | ftp://a:1      | XDS_ADDRESS: ftp://a:1 (expected: https://host:port,
            CA_ADDRESS                      | https://a b:1  | CA_ADDRESS: https://a b:1 (expected: https://host:port; Illegal character
            XDS_ROOT_CA                     | -----BEGIN x   | XDS_ROOT_CA: -----BEGIN x (expected:
            XDS_HEADER_a b                  | x              | XDS_HEADER_a b: not the name of a text header
            CA_HEADER_x-bin                 | x              | CA_HEADER_x-bin: not the name of a text header
            SECRET_TTL                      | 0s             | SECRET_TTL: PT0S (expected: at least 1s)
            SECRET_TTL                      | 24             | SECRET_TTL: 24 (expected: a number with ms, s, m or h, for example 180s)
            SECRET_TTL                      | 999999999999h  | SECRET_TTL: 999999999999h (expected: at most 87600h)
            SECRET_TTL                      | 99999999999999999999h | SECRET_TTL: 99999999999999999999h (expected: a number with
            PACKET_MARK                     | 0              | PACKET_MARK: 0 (expected: 1337 in the low 12 bits;
            PACKET_MARK                     | 0x539          | PACKET_MARK: 0x539 (expected: a whole number)
            ENABLE_ORIG_SRC                 | yes            | ENABLE_ORIG_SRC: yes (expected: true or false)
            IPV6_ENABLED                    | TRUE           | IPV6_ENABLED: TRUE (expected: true or false)
            INPOD_PORT_REUSE                | false          | INPOD_PORT_REUSE: false (expected: true with 2 workers, since each has listeners of its own; or ZTUNNEL_WORKER_THREADS=1)
            KEEPALIVE_TIME                  | 500ms          | KEEPALIVE_TIME: PT0.5S (expected: 1s to 32767s, what the kernel takes)
            KEEPALIVE_INTERVAL              | 24h            | KEEPALIVE_INTERVAL: PT24H (expected: 1s to 32767s, what the kernel takes)
            KEEPALIVE_RETRIES               | 128            | KEEPALIVE_RETRIES: 128 (expected: 1 to 127)
            USER_TIMEOUT_ENABLED            | maybe          | USER_TIMEOUT_ENABLED: maybe (expected: true or false)
            HTTP2_STREAM_WINDOW_SIZE        | 65534          | HTTP2_STREAM_WINDOW_SIZE: 65534 (expected: 65535 to 2147483647)
            HTTP2_CONNECTION_WINDOW_SIZE    | 65535          | HTTP2_CONNECTION_WINDOW_SIZE: 65535 (expected: 4194304 to 2147483647)
            HTTP2_FRAME_SIZE                | 16777216       | HTTP2_FRAME_SIZE: 16777216 (expected: 16384 to 16777215)
            POOL_MAX_STREAMS_PER_CONNECTION | 0              | POOL_MAX_STREAMS_PER_CONNECTION: 0 (expected: 1 to 2147483647)
            POOL_UNUSED_RELEASE_TIMEOUT     | 0s             | POOL_UNUSED_RELEASE_TIMEOUT: PT0S (expected: more than 0)
            LOAM_TLS_GROUPS                 | X25519,kyber   | LOAM_TLS_GROUPS: X25519,kyber (expected: names out of [X25519MLKEM768, X25519, P-256], separated by commas)
            LOAM_TLS_GROUPS                 | ','            | LOAM_TLS_GROUPS: , (expected: names out of
            LOAM_TLS_GROUPS                 | P-256,P-256    | LOAM_TLS_GROUPS: [P-256, P-256] (expected: each of [X25519MLKEM768, X25519, P-256] at most once, and at least one)
            COMPLIANCE_POLICY               | fips-140-2     | COMPLIANCE_POLICY: fips-140-2 (expected: pqc, or not set; TLS 1.3 with AES is all there is anyway)
            CONNECTION_TERMINATION_DEADLINE | 10ms           | CONNECTION_TERMINATION_DEADLINE: PT0.01S (expected: at least 1s)
            ISTIO_META_DNS_CAPTURE          | yes            | ISTIO_META_DNS_CAPTURE: yes (expected: true or false)
            LOAM_DNS_TIMEOUT                | 99ms           | LOAM_DNS_TIMEOUT: PT0.099S (expected: 100ms to 60s)
            LOAM_DNS_RESOLVERS              | kube-dns       | LOAM_DNS_RESOLVERS: kube-dns (expected: IP addresses separated by commas)
            LOAM_DNS_MAX_FORWARDED          | 0              | LOAM_DNS_MAX_FORWARDED: 0 (expected: 1 to 65536)
            LOAM_DNS_MAX_FORWARDED_PER_POD  | 65537          | LOAM_DNS_MAX_FORWARDED_PER_POD: 65537 (expected: 1 to 65536)
            RUST_LOG                        | ztunnel=debug  | RUST_LOG: ztunnel=debug (expected: error, warn, info, debug or trace)
            LOG_FORMAT                      | xml            | LOG_FORMAT: xml (expected: plain or json)
            LOAM_ADMIN_PORT                 | 65536          | LOAM_ADMIN_PORT: 65536 (expected: 0 to 65535)
            ZTUNNEL_WORKER_THREADS          | -1             | ZTUNNEL_WORKER_THREADS: -1 (expected: a number, N%, or 0 for all cores)
            ZTUNNEL_WORKER_THREADS          | many           | ZTUNNEL_WORKER_THREADS: many (expected: a number, N%, or 0 for all cores)
            ZTUNNEL_RESOURCE_CPU_LIMIT      | 2Gi            | ZTUNNEL_RESOURCE_CPU_LIMIT: 2Gi (expected: processors as in Kubernetes, for example 2 or 500m)
            LOAM_ADMINPORT                  | 1              | LOAM_ADMINPORT: unknown setting (expected: one of LOAM_ADMIN_PORT, LOAM_DNS_MAX_FORWARDED, LOAM_DNS_MAX_FORWARDED_PER_POD, LOAM_DNS_RESOLVERS, LOAM_DNS_TIMEOUT, LOAM_MESH_MAX_AGE, LOAM_READINESS_PORT, LOAM_STATE_DIR, LOAM_STATS_PORT, LOAM_TLS_GROUPS)
            """)
    void refusesAValueThatDoesNotFit(String key, String value, String problem) {
        assertThatThrownBy(() -> read(Map.of(key, value == null ? "" : value)))
                .isInstanceOf(ConfigException.class)
                .hasMessageStartingWith(problem)
                .extracting(Throwable::getMessage)
                .satisfies(message -> assertThat(message).doesNotContain("\n"));
    }

    /// What a ztunnel would obey must not be ignored here in silence.
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            FAKE_CA                    | true              | self-signed test certificates are not offered; run ca-server
            TLS12_ENABLED              | true              | tunnels speak TLS 1.3 only
            UNSTABLE_ENABLE_SOCKS5     | true              | there is no SOCKS listener
            LOCALHOST_APP_TUNNEL       | true              | application tunnels are not offered yet, connections that need one are refused
            AUTHZ_POLICY_INFO_LOGGING  | true              | the access log names the policy that refused a connection
            PROXY_WORKLOAD_INFO        | ns/name/sa        | one agent serves the node, not one workload
            PROXY_CONFIG               | concurrency: 2    | mesh configuration in YAML is not read; use the variables of its settings
            LOCAL_XDS                  | workloads: []     | workloads come from the control plane only
            LOCAL_XDS_PATH             | /etc/local.yaml   | workloads come from the control plane only
            ISTIO_META_DNS_PROXY_ADDR  | 127.0.0.1:5353    | the redirection rules know no other port than 15053 on loopback
            """)
    void refusesWhatItWouldNotObey(String key, String value, String reason) {
        assertThatThrownBy(() -> read(Map.of(key, value)))
                .hasMessage(key + ": " + value + " (expected: not set; " + reason + ")");
        assertThat(read(Map.of(key, "")).workers()).as("\"\" means not set").isEqualTo(2);
    }

    /// Wire reference, section 11.
    @Test
    void whoAsksForAddressesOneByOneHasNoDnsProxyAndLeavesNoMesh() {
        assertThatThrownBy(() -> read(Map.of("XDS_ON_DEMAND", "true", "LOAM_MESH_MAX_AGE", "1h")))
                .hasMessage("""
                        XDS_ON_DEMAND: true (expected: false, or ISTIO_META_DNS_CAPTURE=false with it: the DNS proxy, which is on by default, answers from the whole mesh, and an agent that asks for addresses one by one does not know it)
                        LOAM_MESH_MAX_AGE: PT1H (expected: 0s or not set with XDS_ON_DEMAND=true, since an agent that knows parts of the mesh leaves none to its successor)""");
        var config = read(Map.of("XDS_ON_DEMAND", "true", "ISTIO_META_DNS_CAPTURE", "false"));
        assertThat(config.onDemand()).isTrue();
        assertThat(config.meshMaxAge()).isZero();
    }

    @Test
    void refusesModesThatAreNotOffered() {
        assertThatThrownBy(() -> read(Map.of("ENABLE_PROXY", "false", "PROXY_MODE", "dedicated")))
                .hasMessage("""
                        ENABLE_PROXY: false (expected: true; without its data path the agent has nothing to do)
                        PROXY_MODE: dedicated (expected: shared; one agent serves the node)""");
    }

    @Test
    void resolversAreAddressesInTheirOrder() {
        var config = read(Map.of("LOAM_DNS_RESOLVERS", "10.96.0.10, fd00:96::a"));

        assertThat(config.dns().resolvers())
                .containsExactly(InetAddress.ofLiteral("10.96.0.10"), InetAddress.ofLiteral("fd00:96::a"));
    }

    /// A stub resolver on the node's loopback is not there in a pod.
    @Test
    void resolversComeFromTheLinesOfResolvConfThatMakeSenseInAPod() {
        assertThat(DnsConfig.nameservers(List.of(
                        "# nameserver 10.0.0.1",
                        "search example.com",
                        "nameserver 127.0.0.53",
                        "nameserver\t10.96.0.10",
                        "nameserver fe80::1%eth7x",
                        "nameserver fd00:96::a")))
                .containsExactly(InetAddress.ofLiteral("10.96.0.10"), InetAddress.ofLiteral("fd00:96::a"));
    }

    @Test
    void oneWorkerNeedsNoSharedPorts() {
        var config = read(Map.of("INPOD_PORT_REUSE", "false", "ZTUNNEL_WORKER_THREADS", "1"));

        assertThat(config.sockets().reusePort()).isFalse();
    }

    @Test
    void theDeadlineGoesBeforeTheGracePeriod() {
        var config = read(Map.of("CONNECTION_TERMINATION_DEADLINE", "7s", "TERMINATION_GRACE_PERIOD_SECONDS", "30"));

        assertThat(config.drain().deadline()).isEqualTo(Duration.ofSeconds(7));
    }

    @Test
    void aFileOfTokensIsTakenAsOneEvenIfItIsNotThereYet() throws Exception {
        var file = folder.resolve("token");
        assertThat(read(Map.of("AUTH_TOKEN", "./token-to-come")).controlPlane().token())
                .isEqualTo(new BearerToken.File(Path.of("./token-to-come")));
        Files.writeString(file, "x");
        assertThat(read(Map.of("AUTH_TOKEN", file.toString())).controlPlane().token())
                .isEqualTo(new BearerToken.File(file));
    }

    @Test
    void allProblemsComeAtOnce() {
        assertThatThrownBy(() -> AgentConfigReader.read(
                        Map.of(
                                "LOAM_PORT", "1",
                                "LOCAL_XDS", "x",
                                "XDS_ADDRESS", "x",
                                "CA_ADDRESS", "y",
                                "KEEPALIVE_TIME", "0s",
                                "KEEPALIVE_RETRIES", "0",
                                "PACKET_MARK", "7",
                                "LOAM_ADMIN_PORT", "-1",
                                "LOAM_STATS_PORT", "-1",
                                "SECRET_TTL", "0s"),
                        CORES))
                .hasMessage("""
                        LOAM_PORT: unknown setting (expected: one of LOAM_ADMIN_PORT, LOAM_DNS_MAX_FORWARDED, LOAM_DNS_MAX_FORWARDED_PER_POD, LOAM_DNS_RESOLVERS, LOAM_DNS_TIMEOUT, LOAM_MESH_MAX_AGE, LOAM_READINESS_PORT, LOAM_STATE_DIR, LOAM_STATS_PORT, LOAM_TLS_GROUPS)
                        LOCAL_XDS: x (expected: not set; workloads come from the control plane only)
                        NODE_NAME: not set (expected: the name of the node this agent runs on)
                        XDS_ADDRESS: https://x (expected: https://host:port, for example https://istiod.istio-system.svc:15012)
                        CA_ADDRESS: https://y (expected: https://host:port, for example https://istiod.istio-system.svc:15012)
                        KEEPALIVE_TIME: PT0S (expected: 1s to 32767s, what the kernel takes)
                        KEEPALIVE_RETRIES: 0 (expected: 1 to 127)
                        PACKET_MARK: 7 (expected: 1337 in the low 12 bits; the redirection rules exempt nothing else, so that the agent would capture its own connections)
                        LOAM_ADMIN_PORT: -1 (expected: 0 to 65535)
                        LOAM_STATS_PORT: -1 (expected: 0 to 65535)
                        SECRET_TTL: PT0S (expected: at least 1s)""");
    }

    @Test
    void aCompliancePolicyAndAListOfGroupsContradictEachOther() {
        assertThatThrownBy(() -> read(Map.of("COMPLIANCE_POLICY", "pqc", "LOAM_TLS_GROUPS", "X25519")))
                .hasMessage(
                        "LOAM_TLS_GROUPS: X25519 (expected: not set, since COMPLIANCE_POLICY=pqc takes X25519MLKEM768"
                                + " only)");
    }

    @Test
    void theDefaultOfWorkersGrowsWithTheMachine() {
        assertThat(AgentConfigReader.read(Map.of("NODE_NAME", "n"), 1).workers())
                .isEqualTo(2);
        assertThat(AgentConfigReader.read(Map.of("NODE_NAME", "n"), 64).workers())
                .isEqualTo(16);
    }

    private static AgentConfig read(Map<String, String> settings) {
        var environment = new HashMap<String, String>();
        environment.put("NODE_NAME", "node-1");
        environment.put("PATH", "/usr/bin");
        environment.putAll(settings);
        return AgentConfigReader.read(environment, CORES);
    }
}
