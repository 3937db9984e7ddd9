package io.loam.config.compile;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.cluster.RunningPod;
import io.loam.model.address.GatewayAddress;
import io.loam.model.address.GatewayAddress.Destination;
import io.loam.model.decision.OutboundRequest;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.decision.OutboundRoute.Via;
import io.loam.model.decision.OutboundRouter;
import io.loam.model.decision.RefusalReason;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.Verdict;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// From labels to what source and destination decide (wire reference, 3.2 and 6.1; hazard I18).
final class WaypointsTest {
    private static final SpiffeId CALLER = new SpiffeId("cluster.local", "shop", "caller");
    private static final SpiffeId WAYPOINT = new SpiffeId("cluster.local", "shop", "w");
    private static final int TARGET = 8080;
    private static final int OTHER = 9090;

    /// NS, SERVICE, POD and GATEWAY stand for more metadata.
    private static final String MESH = """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop, NS}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: infra, labels: {team: infra}}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: caller, namespace: shop}
            spec: {serviceAccountName: caller, containers: [{name: web, command: [run]}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: cart-1, namespace: shop, labels: {app: cart, POD}}
            spec: {serviceAccountName: cart, containers: [{name: web, command: [run]}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: cart, namespace: shop, SERVICE}
            spec: {clusterIP: 10.96.0.7, selector: {app: cart}, ports: [{port: 80, targetPort: 8080}]}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: cart, namespace: shop}}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: caller, namespace: shop}}
            """;

    private static final String GATEWAY = """
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: w, namespace: shop, GATEWAY}
            spec:
              gatewayClassName: istio-waypoint
              listeners: [{name: mesh, port: 15008, protocol: HBONE}]
            """;

    private static final String INSTANCE = """
            ---
            apiVersion: v1
            kind: Pod
            metadata:
              name: w-1
              namespace: shop
              labels: {gateway.networking.k8s.io/gateway-name: w, networking.istio.io/tunnel: http}
            spec: {serviceAccountName: w, containers: [{name: proxy, command: [run]}]}
            ---
            {apiVersion: v1, kind: ServiceAccount, metadata: {name: w, namespace: shop}}
            """;

    @ParameterizedTest(name = "namespace {0}, service {1}, waypoint for {2}: {3}")
    @CsvSource(
            nullValues = "-",
            value = {
                "-, -, -, DIRECT",
                "istio.io/use-waypoint, -, -, SERVICE_WAYPOINT",
                "loam.io/use-waypoint, -, -, SERVICE_WAYPOINT",
                "-, istio.io/use-waypoint, -, SERVICE_WAYPOINT",
                "-, istio.io/use-waypoint, all, SERVICE_WAYPOINT",
                "istio.io/use-waypoint, -, all, SERVICE_WAYPOINT",
                "istio.io/use-waypoint, -, workload, DIRECT",
                "istio.io/use-waypoint, -, none, DIRECT",
            })
    void servicesAreBoundByTheirLabelsOrTheirNamespaces(
            String namespace, String service, String purpose, Via expected) {
        var compiled = Compiled.of(mesh(labels(namespace), labels(service), "", purpose) + INSTANCE);

        assertThat(via(compiled, "10.96.0.7", 80)).isEqualTo(expected);
        assertThat(compiled.problems()).isEmpty();
        if (expected == Via.SERVICE_WAYPOINT) {
            assertThat(compiled.service("cart.shop.svc.cluster.local").waypoint())
                    .isEqualTo(new GatewayAddress(
                            new Destination.ByHostname(
                                    new io.loam.model.address.NamespacedHostname("shop", "w.shop.svc.cluster.local")),
                            15008));
            assertThat(tunnel(compiled, "10.96.0.7", 80).authority()).isEqualTo("10.96.0.7:80");
            assertThat(tunnel(compiled, "10.96.0.7", 80).expectedIdentities()).containsExactly(WAYPOINT);
        }
    }

    @ParameterizedTest(name = "namespace {0}, pod {1}, waypoint for {2}: {3}")
    @CsvSource(
            nullValues = "-",
            value = {
                "-, -, all, DIRECT",
                "istio.io/use-waypoint, -, -, DIRECT",
                "istio.io/use-waypoint, -, workload, WORKLOAD_WAYPOINT",
                "istio.io/use-waypoint, -, all, WORKLOAD_WAYPOINT",
                "-, istio.io/use-waypoint, workload, WORKLOAD_WAYPOINT",
            })
    void podsAreBoundToWaypointsForWorkloads(String namespace, String pod, String purpose, Via expected) {
        var compiled = Compiled.of(mesh(labels(namespace), "", pod == null ? "" : pod + ": w", purpose) + INSTANCE);

        assertThat(via(compiled, "10.244.1.2", TARGET)).isEqualTo(expected);
    }

    @Test
    void aServiceOptsOutOfItsNamespacesWaypoint() {
        var compiled = Compiled.of(
                mesh(labels("istio.io/use-waypoint"), "labels: {istio.io/use-waypoint: none}", "", null) + INSTANCE);

        assertThat(via(compiled, "10.96.0.7", 80)).isEqualTo(Via.DIRECT);
        assertThat(allows(compiled, CALLER, TARGET)).isTrue();
    }

    @Test
    void theWaypointsOwnPodsEndTunnelsAndAreBehindNothing() {
        var compiled = Compiled.of(mesh(labels("istio.io/use-waypoint"), "", "", "all") + INSTANCE);
        var instance = compiled.workload("w-1");

        assertThat(instance.waypoint()).isNull();
        assertThat(instance.tunnel()).isEqualTo(TunnelProtocol.HBONE);
        assertThat(instance.nativeTunnel()).isTrue();
        assertThat(instance.authorizationPolicies()).isEmpty();
        assertThat(compiled.service("w.shop.svc.cluster.local").waypoint()).isNull();
    }

    /// Hazard I18, the destination: 0 requests around the waypoint, in plaintext or with another identity.
    @Test
    void whatIsBehindAServicesWaypointTakesConnectionsFromItOnly() {
        var compiled = Compiled.of(mesh("", labels("istio.io/use-waypoint"), "", null) + INSTANCE);

        assertThat(allows(compiled, CALLER, TARGET)).isFalse();
        assertThat(allows(compiled, null, TARGET)).isFalse();
        assertThat(allows(compiled, WAYPOINT, TARGET)).isTrue();
        assertThat(allows(compiled, CALLER, OTHER)).isTrue(); // no port of the service
    }

    /// Connections to a service without waypoint never pass a workload's, so its port stays open.
    @Test
    void whatIsBehindAWorkloadsWaypointKeepsThePortsOfServicesWithoutOne() {
        var compiled = Compiled.of(mesh(labels("istio.io/use-waypoint"), "", "", "workload") + INSTANCE);

        assertThat(allows(compiled, CALLER, OTHER)).isFalse();
        assertThat(allows(compiled, null, OTHER)).isFalse();
        assertThat(allows(compiled, WAYPOINT, OTHER)).isTrue();
        assertThat(allows(compiled, CALLER, TARGET)).isTrue();
    }

    @Test
    void aWaypointForAllGuardsEveryPort() {
        var compiled = Compiled.of(mesh(labels("istio.io/use-waypoint"), "", "", "all") + INSTANCE);

        for (int port : new int[] {TARGET, OTHER}) {
            assertThat(allows(compiled, CALLER, port)).isFalse();
            assertThat(allows(compiled, null, port)).isFalse();
            assertThat(allows(compiled, WAYPOINT, port)).isTrue();
        }
    }

    /// Hazard I18: a Gateway that is not there, is of another kind, does not let the namespace in, or has no
    /// instance that is ready. Source and destination are closed.
    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            value = {
                "missing",
                "other class",
                "not for services",
                "elsewhere, not admitted",
                "no instance",
                "instance not ready",
            })
    void whatCannotPassItsWaypointIsRefused(String what) {
        var labels = labels("istio.io/use-waypoint");
        var compiled = switch (what) {
            case "missing" ->
                Compiled.of(MESH.replace("NS", "").replace("SERVICE", labels).replace(", POD", ""));
            case "other class" -> Compiled.of(mesh("", labels, "", null).replace("istio-waypoint", "istio") + INSTANCE);
            case "not for services" -> Compiled.of(mesh("", labels, "", "workload") + INSTANCE);
            case "elsewhere, not admitted" ->
                Compiled.of(
                        mesh("", "labels: {istio.io/use-waypoint: w, istio.io/use-waypoint-namespace: infra}", "", null)
                                .replace("name: w, namespace: shop", "name: w, namespace: infra"));
            case "no instance" -> Compiled.of(mesh("", labels, "", null));
            default -> Compiled.of(mesh("", labels, "", null) + INSTANCE, WaypointsTest::unreadyWaypoint);
        };

        assertThat(route(compiled, "10.96.0.7", 80))
                .isInstanceOfSatisfying(
                        OutboundRoute.Refused.class,
                        refused -> assertThat(refused.reason()).isEqualTo(RefusalReason.WAYPOINT_UNRESOLVED));
        assertThat(allows(compiled, CALLER, TARGET)).isFalse();
        assertThat(allows(compiled, null, TARGET)).isFalse();
        if (!what.startsWith("no instance") && !what.startsWith("instance")) {
            assertThat(compiled.problems())
                    .anySatisfy(problem -> assertThat(problem)
                            .contains("Service shop/cart: metadata.labels[\"istio.io/use-waypoint\"]: w (expected: ")
                            .contains("connections are refused; loam.io/waypoint-bypass: allow would let them"));
        }
    }

    @ParameterizedTest(name = "bypass allowed by {0}")
    @CsvSource({"service", "namespace", "gateway"})
    void whoeverWantsItMayFailOpen(String where) {
        var bypass = "annotations: {loam.io/waypoint-bypass: allow}";
        var yaml = mesh(
                where.equals("namespace") ? bypass : "",
                "labels: {istio.io/use-waypoint: w}" + (where.equals("service") ? ", " + bypass : ""),
                "",
                null);
        if (where.equals("gateway")) {
            yaml = yaml.replace("name: w, namespace: shop", "name: w, namespace: shop, " + bypass);
        }

        var without = Compiled.of(yaml);
        assertThat(via(without, "10.96.0.7", 80)).isEqualTo(Via.DIRECT);
        assertThat(allows(without, CALLER, TARGET)).isTrue();
        var with = Compiled.of(yaml + INSTANCE);
        assertThat(via(with, "10.96.0.7", 80)).isEqualTo(Via.SERVICE_WAYPOINT);
        assertThat(allows(with, CALLER, TARGET)).isTrue();
    }

    @Test
    void aWaypointOfAnotherNamespaceServesThoseItAdmits() {
        var yaml = mesh("", "labels: {istio.io/use-waypoint: w, istio.io/use-waypoint-namespace: infra}", "", null)
                        .replace("name: w, namespace: shop", "name: w, namespace: infra")
                + INSTANCE.replace("namespace: shop", "namespace: infra");
        var all = yaml.replace("protocol: HBONE", "protocol: HBONE, allowedRoutes: {namespaces: {from: All}}");
        var selected = yaml.replace(
                "protocol: HBONE",
                "protocol: HBONE, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels:"
                        + " {kubernetes.io/metadata.name: shop}}}}");

        assertThat(via(Compiled.of(all), "10.96.0.7", 80)).isEqualTo(Via.SERVICE_WAYPOINT);
        assertThat(via(Compiled.of(selected), "10.96.0.7", 80)).isEqualTo(Via.SERVICE_WAYPOINT);
        assertThat(allows(Compiled.of(all), new SpiffeId("cluster.local", "infra", "w"), TARGET))
                .isTrue();
        assertThat(allows(Compiled.of(all), WAYPOINT, TARGET)).isFalse();
    }

    @ParameterizedTest(name = "weight {0}: {1}")
    @CsvSource({"0, 0", "25, 25", "100, 100", "101, 0", "many, 0"})
    void aCanaryTakesItsShare(String weight, int expected) {
        var compiled = Compiled.of(mesh(
                        "",
                        "labels: {istio.io/use-waypoint: w, istio.io/use-waypoint-canary: v2}, annotations:"
                                + " {istio.io/use-waypoint-canary-weight: \"" + weight + "\"}",
                        "",
                        null)
                + GATEWAY.replace("name: w, namespace: shop, GATEWAY", "name: v2, namespace: shop")
                + INSTANCE
                + INSTANCE.substring(0, INSTANCE.lastIndexOf("---"))
                        .replace("w-1", "v2-1")
                        .replace("gateway-name: w", "gateway-name: v2"));

        var weighted = compiled.service("cart.shop.svc.cluster.local").weightedWaypoints();
        if (expected == 0) {
            assertThat(weighted).isEmpty();
        } else {
            assertThat(weighted).hasSize(2);
            assertThat(weighted.get(0).weight()).isEqualTo(100 - expected);
            assertThat(weighted.get(1).weight()).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @CsvSource({"IPAddress, 10.244.1.3", "Hostname, w.shop.svc.cluster.local"})
    void aGatewayMayNameItsAddress(String type, String value) {
        var compiled = Compiled.of(mesh("", labels("istio.io/use-waypoint"), "", null)
                        .replace(
                                "gatewayClassName: istio-waypoint",
                                "gatewayClassName: loam-waypoint\n  addresses: [{type: " + type + ", value: " + value
                                        + "}]")
                + INSTANCE);

        assertThat(tunnel(compiled, "10.96.0.7", 80).peer())
                .isEqualTo(new InetSocketAddress(InetAddress.ofLiteral("10.244.1.3"), 15008));
    }

    private static RunningPod unreadyWaypoint(RunningPod pod) {
        return new RunningPod(
                pod.pod(),
                pod.uid(),
                pod.node(),
                pod.ips(),
                pod.phase(),
                !pod.name().startsWith("w-"),
                pod.terminating(),
                pod.redirected(),
                pod.owner());
    }

    private static String labels(@Nullable String key) {
        return key == null ? "" : "labels: {" + key + ": w}";
    }

    private static String mesh(String namespace, String service, String pod, @Nullable String purpose) {
        return (MESH + GATEWAY)
                .replace("NS", namespace)
                .replace("SERVICE", service)
                .replace(", POD", pod.isEmpty() ? "" : ", " + pod)
                .replace("GATEWAY", purpose == null ? "" : "labels: {istio.io/waypoint-for: " + purpose + "}");
    }

    private static boolean allows(Compiled compiled, @Nullable SpiffeId caller, int port) {
        var mesh = compiled.snapshot();
        var cart = compiled.workload("cart-1");
        var attributes = new ConnectionAttributes(
                caller, InetAddress.ofLiteral("10.244.1.1"), cart.addresses().getFirst(), port);
        return Authorizer.decide(mesh.policiesFor(cart), attributes) instanceof Verdict.Allowed;
    }

    private static Via via(Compiled compiled, String ip, int port) {
        return tunnel(compiled, ip, port).via();
    }

    private static OutboundRoute.Tunnel tunnel(Compiled compiled, String ip, int port) {
        var route = route(compiled, ip, port);
        assertThat(route).isInstanceOf(OutboundRoute.Tunnel.class);
        return (OutboundRoute.Tunnel) route;
    }

    private static OutboundRoute route(Compiled compiled, String ip, int port) {
        Workload caller = compiled.workload("caller");
        return OutboundRouter.route(
                compiled.snapshot(),
                new OutboundRequest(
                        caller, caller.addresses().getFirst(), new InetSocketAddress(InetAddress.ofLiteral(ip), port)),
                new SplittableRandom(1));
    }
}
