package io.loam.runtime.config;

import java.net.URI;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// How to reach the control plane or the certificate authority: gRPC over TLS, the server proves itself by
/// certificate and we by a bearer token.
///
/// @param address `https://host:port`, scheme optional; `http://` speaks without TLS
/// @param root what the server's certificate must chain to
/// @param serverName name to verify instead of the address's host, or null
/// @param token file (re-read for every call) or literal; null sends no token
/// @param clusterId sent as metadata `clusterid`
/// @param headers extra metadata (`XDS_HEADER_*`, `CA_HEADER_*`)
public record UpstreamConfig(
        URI address,
        RootCertificates root,
        @Nullable String serverName,
        @Nullable BearerToken token,
        String clusterId,
        Map<String, String> headers) {
    public UpstreamConfig {
        boolean known = "https".equals(address.getScheme()) || "http".equals(address.getScheme());
        if (!known || address.getHost() == null || address.getPort() < 1) {
            throw new ConfigException(
                    address + " (expected: https://host:port, for example https://istiod.istio-system.svc:15012)");
        }
        headers = Map.copyOf(headers);
    }

    public boolean tls() {
        return !"http".equals(address.getScheme());
    }

    /// Where trust in a server comes from.
    public sealed interface RootCertificates {
        /// Read again at each connection, so that a rotated root counts without a restart.
        record File(Path path) implements RootCertificates {}

        record Inline(String pem) implements RootCertificates {}

        /// The certificates of the operating system.
        record OperatingSystem() implements RootCertificates {}
    }

    /// What proves who we are.
    public sealed interface BearerToken {
        record File(Path path) implements BearerToken {}

        record Literal(String value) implements BearerToken {
            @Override
            public String toString() {
                return "Literal[hidden]";
            }
        }
    }
}
