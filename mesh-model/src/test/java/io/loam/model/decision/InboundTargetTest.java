package io.loam.model.decision;

import static io.loam.model.Meshes.at;
import static io.loam.model.Meshes.gateway;
import static io.loam.model.Meshes.key;
import static io.loam.model.Meshes.mesh;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.port;
import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.Meshes.WorkloadBuilder;
import io.loam.model.decision.InboundTarget.Accepted;
import io.loam.model.decision.InboundTarget.Rejected;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.workload.ApplicationTunnel;
import java.net.InetSocketAddress;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Wire reference, 3.3.
final class InboundTargetTest {
    private static final InetSocketAddress ACCEPTED = at("10.0.0.1", 15008);
    private static final ApplicationTunnel PROXY = new ApplicationTunnel(ApplicationTunnel.Protocol.PROXY, 15088);

    @Test
    void acceptsTheAddressConnectedTo() {
        assertThat(resolve(mesh(cart()), cart(), "10.0.0.1:8080"))
                .isEqualTo(new Accepted(at("10.0.0.1", 8080), null, false));
        var ipv6 = InboundTarget.resolve(mesh(), cart().build(), at("fd00::1", 15008), "[fd00::1]:8080");
        assertThat(ipv6).isEqualTo(new Accepted(at("fd00::1", 8080), null, false));
    }

    @Test
    void refusesOtherAddresses() {
        assertThat(resolve(mesh(cart()), cart(), "10.0.0.2:8080")).isInstanceOfSatisfying(Rejected.class, rejected -> {
            assertThat(rejected.status()).isEqualTo(400);
            assertThat(rejected.reason()).isEqualTo(RefusalReason.WRONG_DESTINATION);
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "10.0.0.1",
                "10.0.0.1:",
                "10.0.0.1:0",
                "10.0.0.1:65536",
                "10.0.0.1:+80",
                "fd00::1:80",
                "[10.0.0.1]:80",
                "010.0.0.1:80",
                "[fd00::1%lo]:80",
                "user@host:80",
                "a b:80",
                ":80",
                "10.1:80",
                "256.0.0.1:80",
                "cart:80:90",
                "/x:1"
            })
    void refusesWhatIsNoAuthority(String authority) {
        assertThat(resolve(mesh(), cart(), authority)).isInstanceOfSatisfying(Rejected.class, rejected -> {
            assertThat(rejected.status()).isEqualTo(400);
            assertThat(rejected.reason()).isEqualTo(RefusalReason.BAD_AUTHORITY);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {15001, 15006, 15008})
    void refusesThePortsOfTheProxy(int port) {
        assertThat(resolve(mesh(), cart(), "10.0.0.1:" + port)).isInstanceOfSatisfying(Rejected.class, rejected -> {
            assertThat(rejected.status()).isEqualTo(503);
            assertThat(rejected.reason()).isEqualTo(RefusalReason.LOOP);
        });
    }

    @Test
    void resolvesAHostnameToTheTargetPort() {
        var service = service("cart", "10.96.0.1").build();
        assertThat(resolve(mesh(cart(), service), cart(), "Cart.shop.svc.cluster.local:80"))
                .isEqualTo(new Accepted(at("10.0.0.1", 8080), service, false));
        var named = cart().of(key("shop", "cart"), port(80, 3000));
        assertThat(resolve(mesh(named, service), named, "cart.shop.svc.cluster.local:80"))
                .isEqualTo(new Accepted(at("10.0.0.1", 3000), service, false));
    }

    @Test
    void answers503ToUnknownHostnamesAndPorts() {
        var mesh = mesh(cart(), service("cart", "10.96.0.1"));
        assertThat(resolve(mesh, cart(), "other.shop.svc.cluster.local:80"))
                .isInstanceOfSatisfying(
                        Rejected.class,
                        rejected -> assertThat(rejected.status()).isEqualTo(503));
        assertThat(resolve(mesh, cart(), "cart.shop.svc.cluster.local:81"))
                .isInstanceOfSatisfying(
                        Rejected.class,
                        rejected -> assertThat(rejected.reason()).isEqualTo(RefusalReason.NO_TARGET_PORT));
    }

    /// For the access log: a refusal says which service was meant, if the mesh knows it.
    @Test
    void aRefusalNamesTheServiceThatTheAuthorityNames() {
        var service = service("cart", "10.96.0.1").build();
        var mesh = mesh(cart(), service);

        for (var authority : List.of(
                "cart.shop.svc.cluster.local:81", "10.96.0.1:80")) { // no such port; not the address connected to
            assertThat(resolve(mesh, cart(), authority))
                    .isInstanceOfSatisfying(
                            Rejected.class,
                            rejected -> assertThat(rejected.service()).isEqualTo(service));
        }
        assertThat(resolve(mesh, cart(), "other.shop.svc.cluster.local:80").service())
                .isNull();
        assertThat(resolve(mesh, cart(), "10.0.0.1:15008").service()).isNull();
    }

    @Test
    void acceptsEverythingBehindAnApplicationTunnelOnItsPort() {
        var waypoint = cart().with(w -> w.applicationTunnel = PROXY);
        assertThat(resolve(mesh(), waypoint, "10.9.9.9:80")).isEqualTo(new Accepted(at("10.0.0.1", 15088), null, true));
    }

    @Test
    void acceptsWhatItIsTheWaypointOf() {
        var byName = service("a", "10.96.0.1").with(s -> s.waypoint = gateway(key("shop", "cart")));
        var byAddress = pod("b-1", "10.0.0.7").with(w -> w.waypoint = gateway("10.0.0.1"));
        var waypointService = service("cart", "10.96.0.9").with(s -> s.ports = List.of());
        var mesh = mesh(cart(), waypointService, byName, byAddress, pod("c-1", "10.0.0.8"));
        assertThat(resolve(mesh, cart(), "10.96.0.1:80"))
                .isEqualTo(new Accepted(at("10.0.0.1", 80), byName.build(), false));
        assertThat(resolve(mesh, cart(), "10.0.0.7:80")).isEqualTo(new Accepted(at("10.0.0.1", 80), null, false));
        assertThat(resolve(mesh, cart(), "10.0.0.8:80")).isInstanceOf(Rejected.class);
        assertThat(resolve(mesh, cart(), "10.96.0.9:80")).isInstanceOf(Rejected.class);
    }

    @Test
    void attributesAConnectionToTheForwardedHostThenToThePort() {
        var local = cart().of(key("shop", "b"), port(80, 9090)).of(key("shop", "a"), port(80, 9090));
        var a = service("a").build();
        var b = service("b").build();
        var mesh = mesh(local, a, b);
        assertThat(ServiceAttribution.of(mesh, local.build(), b.hostname(), 9090))
                .isEqualTo(b);
        assertThat(ServiceAttribution.of(mesh, local.build(), "elsewhere", 9090))
                .isEqualTo(a);
        assertThat(ServiceAttribution.of(mesh, local.build(), null, 7)).isNull();
    }

    private static WorkloadBuilder cart() {
        return pod("cart-1", "10.0.0.1", "fd00::1").of(key("shop", "cart"));
    }

    private static InboundTarget resolve(MeshSnapshot mesh, WorkloadBuilder local, String authority) {
        return InboundTarget.resolve(mesh, local.build(), ACCEPTED, authority);
    }
}
