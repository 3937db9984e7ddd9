package io.loam.model.decision;

import static io.loam.model.Meshes.mesh;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.Meshes;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.Service.Visibility;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Egress;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Names: addresses are in OutboundRouterTest.
final class EgressRuleTest {
    private static final MeshSnapshot MESH = mesh(
            service("api", "240.240.0.1").with(s -> s.hostname = "api.example.com"),
            service("any", "240.240.0.2").with(s -> s.hostname = "*.partners.example"),
            service("cart", "10.96.0.1"),
            service("secret", "240.240.0.3").with(s -> {
                s.namespace = "other";
                s.hostname = "secret.example.com";
                s.visibility = Visibility.NAMESPACE;
            }));

    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource({
        "api.example.com, true",
        "API.example.com., true",
        "cart.shop.svc.cluster.local, true",
        "a.partners.example, true",
        "a.b.partners.example, true",
        "partners.example, false",
        "evilpartners.example, false",
        "example.com, false",
        "x.api.example.com, false",
        "secret.example.com, false",
        "data.exfiltrated.example.net, false",
        "localhost, false",
    })
    void asksOthersForKnownNamesOnly(String name, boolean permitted) {
        assertThat(EgressRule.permitsName(MESH, client(Egress.REGISTRY_ONLY), name))
                .isEqualTo(permitted);
        assertThat(EgressRule.permitsName(MESH, client(Egress.ALLOW_ANY), name)).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"203.0.113.1, false", "2001:db8::1, false", "169.254.169.254, false", "127.0.0.1, true", "::1, true"})
    void leavesThePodForKnownAddressesOnly(String address, boolean permitted) {
        assertThat(EgressRule.permitsUnknown(client(Egress.REGISTRY_ONLY), Meshes.ip(address)))
                .isEqualTo(permitted);
        assertThat(EgressRule.permitsUnknown(client(Egress.ALLOW_ANY), Meshes.ip(address)))
                .isTrue();
    }

    @ParameterizedTest
    @CsvSource({"203.0.113.1, false", "10.96.0.1, true", "240.240.0.3, false", "10.0.0.5, true", "127.0.0.1, true"})
    void servicesThatItSeesAndWorkloadsAreKnown(String address, boolean permitted) {
        var mesh = MESH.apply(
                MeshDelta.builder().upsert(pod("cart-1", "10.0.0.5").build()).build());

        assertThat(EgressRule.permits(mesh, client(Egress.REGISTRY_ONLY), Meshes.ip(address)))
                .isEqualTo(permitted);
        assertThat(EgressRule.permits(mesh, client(Egress.ALLOW_ANY), Meshes.ip(address)))
                .isTrue();
    }

    private static Workload client(Egress egress) {
        return pod("client-1", "10.0.0.9").with(w -> w.egress = egress).build();
    }
}
