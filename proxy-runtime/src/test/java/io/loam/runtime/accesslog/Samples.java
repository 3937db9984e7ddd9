package io.loam.runtime.accesslog;

import io.loam.model.identity.SpiffeId;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.accesslog.AccessLogEntry.Kind;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/// Two pods and what their connections leave behind.
public final class Samples {
    public static final SpiffeId WEB_ID = new SpiffeId("cluster.local", "shop", "web");
    public static final SpiffeId CART_ID = new SpiffeId("cluster.local", "shop", "cart");
    public static final Workload WEB = workload("web", "web-5d-x1", new Locality("eu", "eu-1", ""));
    public static final Workload CART = workload("cart", "cart-7f-z9", Locality.UNKNOWN);

    private Samples() {}

    private static Workload workload(String app, String pod, Locality locality) {
        return new Workload(
                "Kubernetes//Pod/shop/" + pod,
                pod,
                "shop",
                List.of(),
                "",
                "",
                Workload.TunnelProtocol.HBONE,
                Workload.DEFAULT_TRUST_DOMAIN,
                app,
                null,
                null,
                "node-1",
                app,
                "v1",
                Workload.Type.DEPLOYMENT,
                app + "-deployment",
                false,
                null,
                Map.of(),
                List.of(),
                Workload.Status.HEALTHY,
                Workload.DEFAULT_CLUSTER,
                locality,
                Workload.NetworkMode.STANDARD,
                1,
                Workload.Egress.ALLOW_ANY);
    }

    static AccessLogEntry tunnelled() {
        return new AccessLogEntry(
                Kind.COMPLETE,
                Instant.parse("2026-01-01T00:00:00Z"),
                Direction.OUTBOUND,
                at("10.244.0.5", 40000),
                WEB,
                WEB_ID,
                at("10.244.1.7", 15008),
                "10.244.1.7:8080",
                "cart.shop.svc.cluster.local",
                CART,
                CART_ID,
                120,
                3400,
                Duration.ofMillis(12),
                null,
                null,
                null,
                null);
    }

    static AccessLogEntry denied() {
        return new AccessLogEntry(
                Kind.FAILED,
                Instant.parse("2026-01-01T00:00:00.5Z"),
                Direction.INBOUND,
                at("fd00:244::5", 40000),
                null,
                WEB_ID,
                at("fd00:244:1::7", 15008),
                "[fd00:244:1::7]:8080\n\"x",
                null,
                CART,
                CART_ID,
                0,
                0,
                Duration.ofNanos(1_999_999),
                "denied by shop/\"deny\\all\"\nrule 0",
                "POLICY_DENIED",
                null,
                "would be denied by shop/later rule 1");
    }

    static AccessLogEntry plaintext() {
        return new AccessLogEntry(
                Kind.COMPLETE,
                Instant.parse("2026-01-01T00:00:00Z"),
                Direction.OUTBOUND,
                at("10.244.0.5", 40000),
                WEB,
                null,
                at("203.0.113.1", 443),
                null,
                null,
                null,
                null,
                7,
                9,
                Duration.ofSeconds(61),
                null,
                null,
                null,
                null);
    }

    /// Cannot be rendered: its duration is more milliseconds than there are.
    static AccessLogEntry broken() {
        return new AccessLogEntry(
                Kind.COMPLETE,
                Instant.parse("2026-01-01T00:00:00Z"),
                Direction.OUTBOUND,
                at("10.244.0.5", 40000),
                WEB,
                null,
                at("203.0.113.1", 443),
                null,
                null,
                null,
                null,
                7,
                9,
                Duration.ofSeconds(Long.MAX_VALUE),
                null,
                null,
                null,
                null);
    }

    static AccessLogEntry early() {
        return new AccessLogEntry(
                Kind.REFUSED,
                Instant.parse("2026-01-01T00:00:00Z"),
                Direction.INBOUND,
                at("10.244.0.5", 40000),
                null,
                null,
                at("10.244.1.7", 15008),
                null,
                null,
                null,
                null,
                0,
                0,
                null,
                "no certificate",
                "NO_CERTIFICATE",
                null,
                null);
    }

    private static InetSocketAddress at(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }
}
