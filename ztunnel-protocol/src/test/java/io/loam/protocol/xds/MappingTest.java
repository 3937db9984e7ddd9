package io.loam.protocol.xds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.UInt32Value;
import com.google.protobuf.UnknownFieldSet;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.GatewayAddress;
import io.loam.model.address.GatewayAddress.Destination;
import io.loam.model.address.IpBits;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.address.NetworkAddress;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.Match;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.Service;
import io.loam.model.service.Service.IpFamilies;
import io.loam.model.service.Service.Visibility;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.service.ServicePort.AppProtocol;
import io.loam.model.service.WeightedWaypoint;
import io.loam.model.workload.ApplicationTunnel;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import io.loam.protocol.proto.security.Authorization;
import io.loam.protocol.proto.workload.Port;
import io.loam.protocol.proto.workload.PortList;
import java.net.InetAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Wire reference, 4.2 to 4.4.
@SuppressWarnings("AvoidValueSetter") // values that no enum of this version has
final class MappingTest {
    @Property
    void bringsWorkloadsThroughTheWire(@ForAll long seed) {
        var workload = new Samples(seed).workload();
        assertThat(WorkloadMapping.toModel(WorkloadMapping.toProto(workload))).isEqualTo(workload);
    }

    @Property
    void bringsServicesThroughTheWire(@ForAll long seed) {
        var service = new Samples(seed).service();
        assertThat(ServiceMapping.toModel(ServiceMapping.toProto(service))).isEqualTo(service);
    }

    @Property
    void bringsPoliciesThroughTheWire(@ForAll long seed) {
        var policy = new Samples(seed).policy();
        assertThat(AuthorizationMapping.toModel(AuthorizationMapping.toProto(policy)))
                .isEqualTo(policy);
    }

    @Test
    void fillsInWhatTheWireLeavesOut() {
        var workload = WorkloadMapping.toModel(workload().build());
        assertThat(workload.trustDomain()).isEqualTo("cluster.local");
        assertThat(workload.serviceAccount()).isEqualTo("default");
        assertThat(workload.clusterId()).isEqualTo("Kubernetes");
        assertThat(workload.capacity()).isEqualTo(1);
        assertThat(WorkloadMapping.toProto(workload)).isEqualTo(workload().build());
    }

    @Test
    void keepsACapacityOfZero() {
        var message = workload().setCapacity(UInt32Value.of(0)).build();
        assertThat(WorkloadMapping.toModel(message).capacity()).isZero();
        assertThat(WorkloadMapping.toProto(WorkloadMapping.toModel(message)).hasCapacity())
                .isTrue();
    }

    @Test
    void takesAnUnknownVisibilityForPublic() {
        var message = service().setVisibilityValue(9).build();
        assertThat(ServiceMapping.toModel(message).visibility()).isEqualTo(Visibility.PUBLIC);
    }

    @Test
    void foldsMappedAddressesToIpv4() {
        var mapped = ByteString.copyFrom(new byte[] {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, 10, 0, 0, 0});
        var message = service();
        message.addAddressesBuilder().setAddress(mapped).setLength(104);
        assertThat(ServiceMapping.toModel(message.build()).addresses())
                .containsExactly(new ServiceAddress("", CidrBlock.parse("10.0.0.0/8")));
    }

    static Stream<Arguments> refusals() {
        return Stream.of(
                refusal(
                        "(workload without uid): uid: \"\"",
                        () -> WorkloadMapping.toModel(workload().setUid("").build())),
                refusal(
                        "u: addresses[0]: 0x0a00 (expected: 4 or 16 bytes, not 2)",
                        () -> WorkloadMapping.toModel(workload()
                                .addAddresses(ByteString.copyFrom(new byte[] {10, 0}))
                                .build())),
                refusal(
                        "u: tunnel_protocol: LEGACY_ISTIO_MTLS (expected: NONE or HBONE)",
                        () -> WorkloadMapping.toModel(
                                workload().setTunnelProtocolValue(2).build())),
                refusal(
                        "u: tunnel_protocol: 7",
                        () -> WorkloadMapping.toModel(
                                workload().setTunnelProtocolValue(7).build())),
                refusal(
                        "u: services: \"cart\" (expected: namespace/hostname)",
                        () -> WorkloadMapping.toModel(workload()
                                .putServices("cart", PortList.getDefaultInstance())
                                .build())),
                refusal(
                        "u: services[a/b].ports[0].target_port: 70000 (expected: 0 to 65535)",
                        () -> WorkloadMapping.toModel(
                                workload().putServices("a/b", ports(80, 70000)).build())),
                refusal(
                        "u: services[a/b].ports[0].service_port: 4294967295",
                        () -> WorkloadMapping.toModel(
                                workload().putServices("a/b", ports(-1, 80)).build())),
                refusal(
                        "u: waypoint.destination: none",
                        () -> WorkloadMapping.toModel(
                                workload().setWaypoint(gateway()).build())),
                refusal(
                        "u: capacity: 4294967295",
                        () -> WorkloadMapping.toModel(
                                workload().setCapacity(UInt32Value.of(-1)).build())),
                refusal(
                        "ns/h: addresses[0].length: 33 (expected: 0 to 32)",
                        () -> ServiceMapping.toModel(address(33).build())),
                refusal("ns/h: load_balancing.routing_preference[0]: 0", () -> {
                    var message = service();
                    message.getLoadBalancingBuilder().addRoutingPreferenceValue(0);
                    return ServiceMapping.toModel(message.build());
                }),
                refusal(
                        "ns/p: action: 5",
                        () -> AuthorizationMapping.toModel(
                                policy().setActionValue(5).build())),
                refusal(
                        "ns/p: scope: 5",
                        () -> AuthorizationMapping.toModel(
                                policy().setScopeValue(5).build())),
                refusal(
                        "ns/p: rules[0].clauses[0].matches[1].principals[0].match_type: none",
                        () -> AuthorizationMapping.toModel(match(m -> m.addPrincipalsBuilder()))),
                refusal(
                        "ns/p: rules[0].clauses[0].matches[1].source_ips[0].address: 0x0a",
                        () -> AuthorizationMapping.toModel(
                                match(m -> m.addSourceIpsBuilder().setAddress(ByteString.copyFrom(new byte[] {10}))))),
                refusal(
                        "ns/p: rules[0].clauses[0].matches[1].not_destination_ports[0]: 65536",
                        () -> AuthorizationMapping.toModel(match(m -> m.addNotDestinationPorts(65536)))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refusals")
    void refusesWithThePathToTheField(String message, Supplier<?> conversion) {
        assertThatThrownBy(conversion::get)
                .isInstanceOf(InvalidResourceException.class)
                .hasMessageStartingWith(message);
    }

    @Test
    void namesResourcesAndTheirAliases() {
        var samples = new Samples(1);
        var service = samples.service();
        assertThat(ResourceNames.of(service)).isEqualTo(service.namespace() + "/" + service.hostname());
        var message =
                workload().setNetwork("west").addAddresses(bytes("10.0.0.1")).addAddresses(bytes("fd00::1"));
        assertThat(ResourceNames.aliases(WorkloadMapping.toModel(message.build())))
                .containsExactly("west/10.0.0.1", "west/fd00::1");
        assertThat(ResourceNames.aliases(ServiceMapping.toModel(address(8).build())))
                .isEmpty();
        assertThat(ResourceNames.aliases(ServiceMapping.toModel(address(32).build())))
                .containsExactly("/10.0.0.0");
    }

    private static Arguments refusal(String message, Supplier<?> conversion) {
        return Arguments.of(message, conversion);
    }

    private static ByteString bytes(String address) {
        return ByteString.copyFrom(InetAddress.ofLiteral(address).getAddress());
    }

    private static io.loam.protocol.proto.workload.Workload.Builder workload() {
        return io.loam.protocol.proto.workload.Workload.newBuilder().setUid("u");
    }

    private static io.loam.protocol.proto.workload.Service.Builder service() {
        return io.loam.protocol.proto.workload.Service.newBuilder()
                .setNamespace("ns")
                .setHostname("h");
    }

    private static io.loam.protocol.proto.workload.Service.Builder address(int length) {
        var message = service();
        message.addAddressesBuilder().setAddress(bytes("10.0.0.0")).setLength(length);
        return message;
    }

    private static io.loam.protocol.proto.workload.GatewayAddress gateway() {
        return io.loam.protocol.proto.workload.GatewayAddress.getDefaultInstance();
    }

    private static PortList ports(int servicePort, int targetPort) {
        return PortList.newBuilder()
                .addPorts(Port.newBuilder().setServicePort(servicePort).setTargetPort(targetPort))
                .build();
    }

    /// Hazard I17: what a later version added to a match cannot be evaluated here. ALLOW does not match, DENY
    /// matches by the fields that are understood, or everybody where there are none.
    @Test
    void conditionsOfALaterVersionNeverWidenAPolicy() {
        var later = UnknownFieldSet.newBuilder()
                .addField(99, UnknownFieldSet.Field.newBuilder().addVarint(1).build())
                .build();
        List<Consumer<io.loam.protocol.proto.security.Match.Builder>> additions = List.of(
                m -> m.setUnknownFields(later), m -> m.addExtensionsBuilder().setName("later"));
        for (var addition : additions) {
            assertThat(clausesOf(Action.ALLOW, m -> addition.accept(m.addDestinationPorts(80))))
                    .containsExactly(new Clause(List.of(Match.NOTHING)));
            assertThat(clausesOf(Action.DENY, addition)).containsExactly(new Clause(List.of()));
            assertThat(clausesOf(Action.DENY, m -> addition.accept(m.addDestinationPorts(80))))
                    .isEqualTo(clausesOf(Action.DENY, m -> m.addDestinationPorts(80)));
        }
        for (var action : Action.values()) {
            var message = policy().setAction(
                            action == Action.ALLOW
                                    ? io.loam.protocol.proto.security.Action.ALLOW
                                    : io.loam.protocol.proto.security.Action.DENY);
            message.addRulesBuilder().setUnknownFields(later);
            message.addRulesBuilder().addClausesBuilder().setUnknownFields(later);
            assertThat(AuthorizationMapping.toModel(message.build()).rules())
                    .containsExactlyElementsOf(
                            action == Action.ALLOW
                                    ? List.of(
                                            new Rule(List.of(new Clause(List.of(Match.NOTHING)))),
                                            new Rule(List.of(new Clause(List.of(Match.NOTHING)))))
                                    : List.of(new Rule(List.of()), new Rule(List.of(new Clause(List.of())))));
        }
    }

    private static List<Clause> clausesOf(
            Action action, Consumer<io.loam.protocol.proto.security.Match.Builder> change) {
        var message = policy().setAction(
                        action == Action.ALLOW
                                ? io.loam.protocol.proto.security.Action.ALLOW
                                : io.loam.protocol.proto.security.Action.DENY);
        change.accept(message.addRulesBuilder().addClausesBuilder().addMatchesBuilder());
        return AuthorizationMapping.toModel(message.build()).rules().getFirst().clauses();
    }

    private static Authorization.Builder policy() {
        return Authorization.newBuilder().setNamespace("ns").setName("p");
    }

    private static Authorization match(Consumer<io.loam.protocol.proto.security.Match.Builder> change) {
        var message = policy();
        var clause = message.addRulesBuilder().addClausesBuilder();
        clause.addMatchesBuilder();
        change.accept(clause.addMatchesBuilder());
        return message.build();
    }

    /// Resources with everything set at random.
    private static final class Samples {
        private final Random random;

        Samples(long seed) {
            random = new Random(seed);
        }

        private <T> T one(List<? extends T> values) {
            return values.get(random.nextInt(values.size()));
        }

        private <T> List<T> some(Supplier<T> sample) {
            return Stream.generate(sample).limit(random.nextInt(4)).toList();
        }

        private String name() {
            return "n" + random.nextInt(5);
        }

        private InetAddress ip() {
            boolean v6 = random.nextBoolean();
            return new IpBits(
                            v6,
                            v6 ? random.nextLong() | (1L << 61) : random.nextLong() << 32,
                            v6 ? random.nextLong() : 0)
                    .toInetAddress();
        }

        private CidrBlock block() {
            var host = CidrBlock.host(ip());
            return new CidrBlock(host.address(), random.nextInt(host.prefixLength() + 1));
        }

        private int port() {
            return 1 + random.nextInt(65535);
        }

        private ServicePort servicePort() {
            return new ServicePort(port(), random.nextInt(65536), one(List.of(AppProtocol.values())));
        }

        private NamespacedHostname hostname() {
            return new NamespacedHostname(name(), name() + ".example.com");
        }

        private GatewayAddress gateway() {
            Destination destination = random.nextBoolean()
                    ? new Destination.ByHostname(hostname())
                    : new Destination.ByAddress(new NetworkAddress(name(), ip()));
            return new GatewayAddress(destination, port());
        }

        Workload workload() {
            var services = new LinkedHashMap<NamespacedHostname, List<ServicePort>>();
            some(this::hostname).forEach(key -> services.put(key, some(this::servicePort)));
            var protocols = List.of(ApplicationTunnel.Protocol.values());
            return new Workload(
                    "uid-" + name(),
                    name(),
                    name(),
                    some(this::ip),
                    one(List.of("", "h.example.com")),
                    name(),
                    one(List.of(TunnelProtocol.values())),
                    one(List.of("cluster.local", "td")),
                    one(List.of("default", "sa")),
                    random.nextBoolean() ? gateway() : null,
                    random.nextBoolean() ? gateway() : null,
                    name(),
                    name(),
                    name(),
                    one(List.of(Workload.Type.values())),
                    name(),
                    random.nextBoolean(),
                    random.nextBoolean() ? new ApplicationTunnel(one(protocols), port()) : null,
                    services,
                    some(this::name),
                    one(List.of(Status.values())),
                    one(List.of("Kubernetes", "west")),
                    one(List.of(Locality.UNKNOWN, new Locality("r", "z", "s"))),
                    one(List.of(NetworkMode.values())),
                    random.nextInt(3),
                    one(List.of(Workload.Egress.values())));
        }

        Service service() {
            var balancing = new LoadBalancing(
                    some(() -> one(List.of(LoadBalancing.Scope.values()))),
                    one(List.of(Mode.values())),
                    one(List.of(HealthPolicy.values())));
            return new Service(
                    name(),
                    hostname(),
                    some(() -> new ServiceAddress(name(), block())),
                    some(this::servicePort),
                    some(this::name),
                    random.nextBoolean() ? gateway() : null,
                    some(() -> new WeightedWaypoint(gateway(), random.nextInt(100))),
                    balancing,
                    one(List.of(IpFamilies.values())),
                    random.nextBoolean(),
                    random.nextBoolean(),
                    one(List.of(Visibility.values())));
        }

        private StringMatch text() {
            return one(List.of(
                    new StringMatch.Exact(name()),
                    new StringMatch.Exact(""),
                    new StringMatch.Prefix(name()),
                    new StringMatch.Suffix(name()),
                    new StringMatch.Presence()));
        }

        private ServiceAccountMatch account() {
            return new ServiceAccountMatch(name(), name());
        }

        private Set<Integer> ports() {
            return new TreeSet<>(some(this::port));
        }

        private Match match() {
            return new Match(
                    some(this::text),
                    some(this::text),
                    some(this::text),
                    some(this::text),
                    some(this::account),
                    some(this::account),
                    some(this::block),
                    some(this::block),
                    some(this::block),
                    some(this::block),
                    ports(),
                    ports());
        }

        AuthorizationPolicy policy() {
            return new AuthorizationPolicy(
                    name(),
                    name(),
                    one(List.of(AuthorizationPolicy.Scope.values())),
                    one(List.of(Action.values())),
                    some(() -> new Rule(some(() -> new Clause(some(this::match))))),
                    random.nextBoolean());
        }
    }
}
