package io.loam.model.decision;

import static io.loam.model.Meshes.at;
import static io.loam.model.Meshes.gateway;
import static io.loam.model.Meshes.ip;
import static io.loam.model.Meshes.key;
import static io.loam.model.Meshes.mesh;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.port;
import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.Meshes;
import io.loam.model.Meshes.ServiceBuilder;
import io.loam.model.Meshes.WorkloadBuilder;
import io.loam.model.address.GatewayAddress;
import io.loam.model.address.GatewayAddress.Destination;
import io.loam.model.decision.OutboundRoute.Plaintext;
import io.loam.model.decision.OutboundRoute.Refused;
import io.loam.model.decision.OutboundRoute.Tunnel;
import io.loam.model.decision.OutboundRoute.Via;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.Service.IpFamilies;
import io.loam.model.service.Service.Visibility;
import io.loam.model.service.WeightedWaypoint;
import io.loam.model.workload.ApplicationTunnel;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Wire reference, 3.2.
final class OutboundRouterTest {
    private static final Workload CLIENT =
            pod("client-1", "10.0.0.9", "fd00::9").build();
    private static final InetSocketAddress VIP = at("10.96.0.1", 80);
    private static final LoadBalancing PASSTHROUGH =
            new LoadBalancing(List.of(), Mode.PASSTHROUGH, HealthPolicy.ALLOW_ALL);

    @ParameterizedTest
    @ValueSource(ints = {15001, 15006, 15008})
    void refusesThePortsOfTheProxyOnLoopback(int port) {
        assertThat(reason(route(MeshSnapshot.EMPTY, at("127.0.0.1", port)))).isEqualTo(RefusalReason.LOOP);
        assertThat(reason(route(MeshSnapshot.EMPTY, at("::1", port)))).isEqualTo(RefusalReason.LOOP);
        assertThat(route(MeshSnapshot.EMPTY, at("10.0.0.1", port))).isInstanceOf(Plaintext.class);
    }

    @Test
    void passesUnknownDestinationsThrough() {
        assertThat(route(mesh(), at("203.0.113.7", 443))).isEqualTo(new Plaintext(at("203.0.113.7", 443), null, null));
    }

    /// Hazard of egress lock-down: what is known stays reachable, what is not is refused, whatever the port.
    @Test
    void holdsBackWhatTheMeshDoesNotKnowWhereEgressIsRegistryOnly() {
        var closed = pod("client-1", "10.0.0.9")
                .with(w -> w.egress = Workload.Egress.REGISTRY_ONLY)
                .build();
        var range = service("partners", "198.51.100.0/24").with(s -> s.balancing = PASSTHROUGH);
        var hidden = service("hidden", "198.18.0.1").with(s -> {
            s.namespace = "other";
            s.balancing = PASSTHROUGH;
            s.visibility = Visibility.NAMESPACE;
        });
        var mesh = mesh(cart(), service("cart", "10.96.0.1"), range, hidden);

        assertThat(reason(route(mesh, closed, at("203.0.113.7", 443)))).isEqualTo(RefusalReason.NOT_IN_REGISTRY);
        assertThat(reason(route(mesh, closed, at("2001:db8::7", 443)))).isEqualTo(RefusalReason.NOT_IN_REGISTRY);
        assertThat(reason(route(mesh, closed, at("198.18.0.1", 443)))).isEqualTo(RefusalReason.NOT_IN_REGISTRY);
        assertThat(tunnel(route(mesh, closed, VIP)).destination().name()).isEqualTo("cart-1");
        assertThat(tunnel(route(mesh, closed, at("10.0.0.1", 9999))).authority())
                .isEqualTo("10.0.0.1:9999");
        assertThat(route(mesh, closed, at("198.51.100.9", 443))).isInstanceOf(Plaintext.class);
        assertThat(route(mesh, closed, at("127.0.0.2", 443))).isInstanceOf(Plaintext.class);
    }

    @Test
    void tunnelsToAWorkloadByItsAddress() {
        var cart = cart().build();
        assertThat(route(mesh(cart), at("10.0.0.1", 9999)))
                .isEqualTo(new Tunnel(
                        at("10.0.0.1", 15008), "10.0.0.1:9999", Set.of(cart.identity()), cart, null, Via.DIRECT));
    }

    @Test
    void tunnelsToAnEndpointOfAServiceOnItsTargetPort() {
        var cart = cart().build();
        var service = service("cart", "10.96.0.1")
                .with(s -> s.subjectAltNames = List.of("spiffe://td/ns/a/sa/b"))
                .build();
        assertThat(route(mesh(cart, service), VIP))
                .isEqualTo(new Tunnel(
                        at("10.0.0.1", 15008),
                        "10.0.0.1:8080",
                        Set.of(cart.identity(), new SpiffeId("td", "a", "b")),
                        cart,
                        service,
                        Via.DIRECT));
    }

    @Test
    void prefersTheEndpointsOwnTargetPort() {
        var cart = pod("cart-1", "10.0.0.1").of(key("shop", "cart"), port(80, 3000));
        assertThat(tunnel(route(mesh(cart, service("cart", "10.96.0.1")), VIP)).authority())
                .isEqualTo("10.0.0.1:3000");
    }

    @Test
    void refusesAPortThatTheServiceDoesNotServe() {
        assertThat(reason(route(mesh(cart(), service("cart", "10.96.0.1")), at("10.96.0.1", 81))))
                .isEqualTo(RefusalReason.NO_HEALTHY_UPSTREAM);
    }

    @Test
    void refusesAServiceWithoutHealthyEndpoints() {
        var mesh = mesh(cart().with(w -> w.status = Status.UNHEALTHY), service("cart", "10.96.0.1"));
        assertThat(reason(route(mesh, VIP))).isEqualTo(RefusalReason.NO_HEALTHY_UPSTREAM);
        assertThat(((Refused) route(mesh, VIP)).service()).isEqualTo(mesh.service(key("shop", "cart")));
    }

    @Test
    void sendsPlaintextToWorkloadsWithoutTunnel() {
        var cart = cart().with(w -> w.tunnel = TunnelProtocol.NONE).build();
        var service = service("cart", "10.96.0.1").build();
        assertThat(route(mesh(cart, service), VIP)).isEqualTo(new Plaintext(at("10.0.0.1", 8080), cart, service));
    }

    @Test
    void keepsTheOriginalDestinationOfAPassthroughService() {
        var service = service("cart", "10.96.0.0/16")
                .with(s -> s.balancing = PASSTHROUGH)
                .build();
        assertThat(route(mesh(cart(), service), VIP)).isEqualTo(new Plaintext(VIP, null, service));
    }

    @Test
    void sendsAPassthroughServiceThroughItsWaypointAllTheSame() {
        var service = service("cart", "10.96.0.1").with(s -> {
            s.balancing = PASSTHROUGH;
            s.waypoint = gateway("10.0.0.5");
        });
        assertThat(tunnel(route(mesh(waypoint(), service), VIP)).via()).isEqualTo(Via.SERVICE_WAYPOINT);
    }

    @Test
    void passesTheWaypointOfAServiceWithTheOriginalAddress() {
        var service = service("cart", "10.96.0.1")
                .with(s -> s.waypoint = gateway("10.0.0.5"))
                .build();
        assertThat(route(mesh(cart(), waypoint(), service), VIP))
                .isEqualTo(new Tunnel(
                        at("10.0.0.5", 15008),
                        "10.96.0.1:80",
                        Set.of(new SpiffeId("cluster.local", "shop", "waypoint")),
                        waypoint().build(),
                        service,
                        Via.SERVICE_WAYPOINT));
    }

    /// Wire reference, 4.3: what a peer sends that leaves the port of a waypoint out.
    @Test
    void reachesAWaypointWithoutPortOnTheUsualOne() {
        var waypoint = pod("waypoint-1", "10.0.0.5").build();
        var reference = new GatewayAddress(new Destination.ByAddress(Meshes.address("10.0.0.5")), 0);
        var service = service("cart", "10.96.0.1").with(s -> s.waypoint = reference);

        assertThat(tunnel(route(mesh(cart(), waypoint, service), VIP)).peer()).isEqualTo(at("10.0.0.5", 15008));
    }

    @Test
    void findsAWaypointByHostname() {
        var waypointService = service("waypoint", "10.96.0.5").with(s -> {
            s.ports = List.of(port(15008, 15008));
            s.subjectAltNames = List.of("spiffe://td/ns/a/sa/b");
        });
        var service = service("cart", "10.96.0.1").with(s -> s.waypoint = gateway(key("shop", "waypoint")));
        var route = tunnel(route(mesh(waypoint(), waypointService, service), VIP));
        assertThat(route.peer()).isEqualTo(at("10.0.0.5", 15008));
        assertThat(route.expectedIdentities()).contains(new SpiffeId("td", "a", "b"));
    }

    @Test
    void waivesTheWaypointsPortBehindAnApplicationTunnel() {
        var waypointService = service("waypoint", "10.96.0.5").with(s -> s.ports = List.of());
        var service = service("cart", "10.96.0.1").with(s -> s.waypoint = gateway(key("shop", "waypoint")));
        var sandwiched = waypoint()
                .with(w -> w.applicationTunnel = new ApplicationTunnel(ApplicationTunnel.Protocol.PROXY, 15088));
        assertThat(tunnel(route(mesh(sandwiched, waypointService, service), VIP))
                        .peer())
                .isEqualTo(at("10.0.0.5", 15008));
        assertThat(reason(route(mesh(waypoint(), waypointService, service), VIP)))
                .isEqualTo(RefusalReason.WAYPOINT_UNRESOLVED);
    }

    @Test
    void refusesWhatCannotPassItsWaypoint() {
        var byName = service("cart", "10.96.0.1").with(s -> s.waypoint = gateway(key("shop", "missing")));
        var byAddress = service("cart", "10.96.0.1").with(s -> s.waypoint = gateway("10.0.0.77"));
        assertThat(reason(route(mesh(cart(), byName), VIP))).isEqualTo(RefusalReason.WAYPOINT_UNRESOLVED);
        assertThat(reason(route(mesh(cart(), byAddress), VIP))).isEqualTo(RefusalReason.WAYPOINT_UNRESOLVED);
    }

    /// Hazard I18.
    @Test
    void refusesWhatHasToPassAWaypointThatIsNotReady() {
        var unready = waypoint().with(w -> w.status = Status.UNHEALTHY);
        var waypointService = service("waypoint", "10.96.0.5").with(s -> s.ports = List.of(port(15008, 15008)));
        for (var reference : List.of(gateway(key("shop", "waypoint")), gateway("10.96.0.5"), gateway("10.0.0.5"))) {
            var service = service("cart", "10.96.0.1").with(s -> s.waypoint = reference);
            var cart = cart().with(w -> w.waypoint = reference);
            var mesh = mesh(cart, unready, waypointService, service);
            assertThat(reason(route(mesh, VIP))).isEqualTo(RefusalReason.WAYPOINT_UNRESOLVED);
            assertThat(reason(route(mesh, at("10.0.0.1", 8080)))).isEqualTo(RefusalReason.WAYPOINT_UNRESOLVED);
        }
    }

    @Test
    void letsAWaypointOfAServicePassItselfFromItsOwnAddressOnly() {
        var reference = gateway(key("shop", "waypoint"));
        var cart = cart().with(w -> w.waypoint = reference);
        var waypointService = service("waypoint", "10.96.0.5").with(s -> s.ports = List.of(port(15008, 15008)));
        var mesh = mesh(cart, waypoint(), pod("waypoint-2", "10.0.0.6").of(key("shop", "waypoint")), waypointService);
        var other = pod("waypoint-3", "10.0.0.7").build(); // the same account, but no endpoint of the waypoint
        assertThat(tunnel(OutboundRouter.route(
                                mesh,
                                new OutboundRequest(waypoint().build(), ip("10.0.0.5"), at("10.0.0.1", 8080)),
                                new SplittableRandom(1)))
                        .via())
                .isEqualTo(Via.DIRECT);
        assertThat(tunnel(OutboundRouter.route(
                                mesh,
                                new OutboundRequest(other, ip("10.0.0.7"), at("10.0.0.1", 8080)),
                                new SplittableRandom(1)))
                        .via())
                .isEqualTo(Via.WORKLOAD_WAYPOINT);
    }

    @Test
    void sharesConnectionsAmongWeightedWaypoints() {
        var canary = pod("canary-1", "10.0.0.6");
        var service = service("cart", "10.96.0.1").with(s -> {
            s.waypoint = gateway("10.0.0.5");
            s.weighted = List.of(
                    new WeightedWaypoint(gateway("10.0.0.5"), 75), new WeightedWaypoint(gateway("10.0.0.6"), 25));
        });
        var mesh = mesh(waypoint(), canary, service);
        var random = new SplittableRandom(7);
        int toCanary = 0;
        for (int i = 0; i < 10_000; i++) {
            var route = OutboundRouter.route(mesh, new OutboundRequest(CLIENT, ip("10.0.0.9"), VIP), random);
            toCanary += tunnel(route).peer().equals(at("10.0.0.6", 15008)) ? 1 : 0;
        }
        assertThat(toCanary).isBetween(2300, 2700);
    }

    @Test
    void usesThePrimaryWaypointWhenAllWeightsAreZero() {
        var service = service("cart", "10.96.0.1").with(s -> {
            s.waypoint = gateway("10.0.0.5");
            s.weighted = List.of(new WeightedWaypoint(gateway("10.0.0.6"), 0));
        });
        assertThat(tunnel(route(mesh(waypoint(), service), VIP)).peer()).isEqualTo(at("10.0.0.5", 15008));
    }

    @Test
    void passesTheWaypointOfAWorkloadOnlyWhenItIsAddressedItself() {
        var cart = cart().with(w -> w.waypoint = gateway("10.0.0.5"));
        var mesh = mesh(cart, waypoint(), service("cart", "10.96.0.1"));
        var direct = tunnel(route(mesh, at("10.0.0.1", 8080)));
        assertThat(direct.via()).isEqualTo(Via.WORKLOAD_WAYPOINT);
        assertThat(direct.authority()).isEqualTo("10.0.0.1:8080");
        assertThat(direct.peer()).isEqualTo(at("10.0.0.5", 15008));
        assertThat(tunnel(route(mesh, VIP)).via()).isEqualTo(Via.DIRECT);
    }

    @Test
    void letsAWaypointReachItsWorkloadDirectlyFromItsOwnAddress() {
        var cart = cart().with(w -> w.waypoint = gateway("10.0.0.5"));
        var mesh = mesh(cart, waypoint());
        var source = waypoint().build();
        var own = new OutboundRequest(source, ip("10.0.0.5"), at("10.0.0.1", 8080));
        var foreign = new OutboundRequest(source, ip("10.0.0.66"), at("10.0.0.1", 8080));
        assertThat(tunnel(OutboundRouter.route(mesh, own, new SplittableRandom(1)))
                        .via())
                .isEqualTo(Via.DIRECT);
        assertThat(tunnel(OutboundRouter.route(mesh, foreign, new SplittableRandom(1)))
                        .via())
                .isEqualTo(Via.WORKLOAD_WAYPOINT);
    }

    /// The two lookup orders: a workload's address that is also virtual is balanced, but it is not service traffic.
    @Test
    void balancesAnAddressThatIsBothWithoutTheServicesWaypoint() {
        var owner = pod("owner-1", "10.96.0.1");
        var service = service("cart", "10.96.0.1").with(s -> s.waypoint = gateway("10.0.0.5"));
        var route = tunnel(route(mesh(owner, cart(), waypoint(), service), VIP));
        assertThat(route.via()).isEqualTo(Via.DIRECT);
        assertThat(route.destination().name()).isEqualTo("cart-1");
    }

    @Test
    void refusesEndpointsOnOtherNetworks() {
        var behindGateway = pod("cart-1").of(key("shop", "cart")).with(w -> {
            w.network = "west";
            w.networkGateway = gateway("192.0.2.1");
        });
        var without = cart().with(w -> w.network = "west");
        var service = service("cart", "10.96.0.1");
        assertThat(reason(route(mesh(behindGateway, service), VIP))).isEqualTo(RefusalReason.UNSUPPORTED);
        assertThat(reason(route(mesh(without, service), VIP))).isEqualTo(RefusalReason.OTHER_NETWORK);
    }

    @Test
    void choosesAnAddressOfTheRequestedFamilyAsFarAsTheServiceAllows() {
        var dual = pod("cart-1", "10.0.0.1", "fd00::1").of(key("shop", "cart"));
        ServiceBuilder any = service("cart", "10.96.0.1", "fd96::1");
        assertThat(tunnel(route(mesh(dual, any), VIP)).authority()).isEqualTo("10.0.0.1:8080");
        assertThat(tunnel(route(mesh(dual, any), at("fd96::1", 80))).authority())
                .isEqualTo("[fd00::1]:8080");
        any.families = IpFamilies.IPV6_ONLY;
        assertThat(tunnel(route(mesh(dual, any), VIP)).authority()).isEqualTo("[fd00::1]:8080");
        assertThat(reason(route(mesh(cart(), any), VIP))).isEqualTo(RefusalReason.NO_ADDRESS);
    }

    @Test
    void leavesHostNamesToTheDialer() {
        var external = pod("db-1").of(key("shop", "cart")).with(w -> {
            w.tunnel = TunnelProtocol.NONE;
            w.hostname = "db.example.com";
        });
        var route = (Plaintext) route(mesh(external, service("cart", "10.96.0.1")), VIP);
        assertThat(route.target()).isEqualTo(InetSocketAddress.createUnresolved("db.example.com", 8080));
    }

    /// What the name has for an address is in the authority for the endpoint itself, and not for a waypoint.
    @Test
    void tunnelsToHostNamesOnceTheyAreResolved() {
        var external = pod("db-1").of(key("shop", "cart")).with(w -> w.hostname = "db.example.com");
        var direct = tunnel(route(mesh(external, service("cart", "10.96.0.1")), VIP));
        assertThat(direct.peer()).isEqualTo(InetSocketAddress.createUnresolved("db.example.com", 15008));
        var resolved = direct.at(at("2001:db8::7", 1).getAddress());
        assertThat(resolved.peer()).isEqualTo(at("2001:db8::7", 15008));
        assertThat(resolved.authority()).isEqualTo("[2001:db8::7]:8080");
        assertThat(resolved.expectedIdentities())
                .isEqualTo(direct.expectedIdentities())
                .isNotEmpty();

        var waypoint = new Tunnel(
                direct.peer(),
                "10.96.0.1:80",
                direct.expectedIdentities(),
                direct.destination(),
                null,
                Via.SERVICE_WAYPOINT);
        assertThat(waypoint.at(at("192.0.2.7", 1).getAddress()).authority()).isEqualTo("10.96.0.1:80");
    }

    @Test
    void reachesHostNetworkEndpointsThroughAServiceOnly() {
        var agent = cart().with(w -> w.networkMode = NetworkMode.HOST_NETWORK);
        var mesh = mesh(agent, service("cart", "10.96.0.1"));
        assertThat(tunnel(route(mesh, VIP)).peer()).isEqualTo(at("10.0.0.1", 15008));
        assertThat(route(mesh, at("10.0.0.1", 80))).isEqualTo(new Plaintext(at("10.0.0.1", 80), null, null));
    }

    @Test
    void refusesATunnelToWhomNobodyNames() {
        var nameless = cart().with(w -> w.namespace = "");
        assertThat(reason(route(mesh(nameless, service("cart", "10.96.0.1")), VIP)))
                .isEqualTo(RefusalReason.NO_IDENTITY);
    }

    private static WorkloadBuilder cart() {
        return pod("cart-1", "10.0.0.1").of(key("shop", "cart"));
    }

    private static WorkloadBuilder waypoint() {
        return pod("waypoint-1", "10.0.0.5").of(key("shop", "waypoint"));
    }

    private static OutboundRoute route(MeshSnapshot mesh, Workload source, InetSocketAddress destination) {
        return OutboundRouter.route(
                mesh, new OutboundRequest(source, source.addresses().getFirst(), destination), new SplittableRandom(1));
    }

    private static OutboundRoute route(MeshSnapshot mesh, InetSocketAddress destination) {
        return OutboundRouter.route(
                mesh, new OutboundRequest(CLIENT, ip("10.0.0.9"), destination), new SplittableRandom(1));
    }

    private static Tunnel tunnel(OutboundRoute route) {
        assertThat(route).isInstanceOf(Tunnel.class);
        return (Tunnel) route;
    }

    private static RefusalReason reason(OutboundRoute route) {
        assertThat(route).isInstanceOf(Refused.class);
        return ((Refused) route).reason();
    }
}
