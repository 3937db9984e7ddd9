package io.loam.lab.services;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.ConfigReader;
import io.loam.config.cluster.RunningPod;
import io.loam.config.object.DeploymentObject;
import io.loam.config.object.ServiceObject;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class ServiceRulesGoldenTest {
    private static final String SHOP = """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: cart, namespace: shop}
            spec:
              selector: {matchLabels: {app: cart}}
              template:
                metadata: {labels: {app: cart}}
                spec:
                  containers:
                  - name: web
                    command: [cart]
                    ports:
                    - {name: web, containerPort: 8080}
                    - {containerPort: 5140, protocol: UDP}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: cart, namespace: shop}
            spec:
              clusterIPs: [10.96.0.10, "fd00:96::10"]
              selector: {app: cart}
              ports:
              - {name: http, port: 80, targetPort: web}
              - {name: events, port: 514, targetPort: 5140, protocol: UDP}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: cart-here, namespace: shop}
            spec:
              clusterIP: 10.96.0.11
              internalTrafficPolicy: Local
              selector: {app: cart}
              ports: [{port: 80, targetPort: 8080}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: nobody, namespace: shop}
            spec:
              clusterIP: 10.96.0.12
              selector: {app: nobody}
              ports: [{port: 80}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: names-only, namespace: shop}
            spec: {clusterIP: None, selector: {app: cart}, ports: [{port: 80}]}
            """;

    private final List<ServiceObject> services = new ArrayList<>();
    private final List<RunningPod> pods = new ArrayList<>();

    ServiceRulesGoldenTest() {
        var result = new ConfigReader().readText(SHOP, Path.of("shop.yaml"));
        assertThat(result.problems()).isEmpty();
        for (var object : result.objects()) {
            if (object instanceof ServiceObject service) {
                services.add(service);
            } else if (object instanceof DeploymentObject deployment) {
                pods.add(pod(deployment, "cart-1", "node-1", true, "10.244.1.2", "fd00:244:1::2"));
                pods.add(pod(deployment, "cart-2", "node-2", true, "10.244.2.2", "fd00:244:2::2"));
                pods.add(pod(deployment, "cart-3", "node-2", false, "10.244.2.3", "fd00:244:2::3"));
            }
        }
    }

    @Test
    void rendersTheTableOfANode() throws IOException {
        assertThat(ServiceRules.render(NodeServices.of(services, pods, "node-1")))
                .isEqualTo(golden("services-node-1.nft"));
    }

    @Test
    void rendersATableWithoutServices() throws IOException {
        assertThat(ServiceRules.render(List.of())).isEqualTo(golden("no-services.nft"));
    }

    @Test
    void doesNotDependOnTheOrderOfPodsAndServices() {
        var expected = NodeServices.of(services, pods, "node-1");
        Collections.reverse(services);
        Collections.reverse(pods);

        assertThat(NodeServices.of(services, pods, "node-1")).isEqualTo(expected);
    }

    @Test
    void keepsALocalServiceOnItsNode() {
        var here = NodeServices.of(services, pods, "node-1").stream()
                .filter(port -> port.service().equals("shop/cart-here"))
                .toList();
        var elsewhere = NodeServices.of(services, pods, "node-3").stream()
                .filter(port -> port.service().equals("shop/cart-here"))
                .toList();

        assertThat(here)
                .singleElement()
                .satisfies(port -> assertThat(port.endpoints()).hasSize(1));
        assertThat(elsewhere)
                .singleElement()
                .satisfies(port -> assertThat(port.endpoints()).isEmpty());
    }

    private static RunningPod pod(
            DeploymentObject deployment, String name, String node, boolean ready, String... addresses) {
        return new RunningPod(
                deployment.pod(name),
                name,
                node,
                List.of(addresses).stream().map(InetAddress::ofLiteral).toList(),
                RunningPod.Phase.RUNNING,
                ready,
                false,
                false,
                null);
    }

    private static String golden(String name) throws IOException {
        try (var stream = ServiceRulesGoldenTest.class.getResourceAsStream(name)) {
            assertThat(stream).as(name).isNotNull();
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
