package io.loam.runtime.xds;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.OutboundRequest;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.decision.OutboundRouter;
import io.loam.model.decision.RefusalReason;
import io.loam.model.mesh.MeshView;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.Verdict;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.proto.discovery.Resource;
import io.loam.protocol.proto.security.Action;
import io.loam.protocol.proto.security.Authorization;
import io.loam.protocol.proto.security.Scope;
import io.loam.protocol.proto.workload.Address;
import io.loam.protocol.proto.workload.Port;
import io.loam.protocol.proto.workload.Service;
import io.loam.protocol.proto.workload.TunnelProtocol;
import io.loam.protocol.proto.workload.Workload;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// Hazard I19, and rules 1 and 2: what cannot be read, or is not there yet, opens nothing.
class MeshAssemblyTest {
    private static final String CART = "Kubernetes//Pod/shop/cart";
    private static final InetAddress CART_ADDRESS = InetAddress.ofLiteral("10.0.0.7");
    private static final InetAddress VIRTUAL = InetAddress.ofLiteral("10.96.0.1");

    private final MeshView view = new MeshView();
    private final MeshAssembly assembly = new MeshAssembly(view, Set.of("loam-system"), null);

    @Test
    void publishesNoWorkloadsBeforeTheirPolicies() {
        assertThat(addresses(cart())).isEmpty();
        assertThat(view.current().workloads()).isEmpty();

        assertThat(policies(policy("shop/closed", Scope.NAMESPACE, Action.DENY)))
                .isEmpty();

        assertThat(view.current().workload(CART)).isNotNull();
        assertThat(verdict()).isEqualTo(new Verdict.Denied("shop/closed", 0));
    }

    @Test
    void isCompleteWithoutAnyPolicy() {
        addresses(cart());
        policies();
        assertThat(verdict().allows()).isTrue();
    }

    @Test
    void deniesForADenyPolicyThatCannotBeRead() {
        addresses(cart());
        assertThat(policies(policy("shop/new", Scope.NAMESPACE, Action.UNRECOGNIZED)))
                .singleElement()
                .asString()
                .contains("shop/new")
                .contains("action");
        assertThat(verdict()).isEqualTo(new Verdict.Denied("shop/new", 0));
        assertThat(assembly.versions(ResourceType.AUTHORIZATION)).containsEntry("shop/new", "");

        policies(policy("shop/new", Scope.NAMESPACE, Action.ALLOW)); // repaired
        assertThat(verdict()).isEqualTo(new Verdict.Allowed("shop/new"));
        assertThat(assembly.versions(ResourceType.AUTHORIZATION)).containsEntry("shop/new", "v");
    }

    @Test
    void deniesForBytesThatAreNoPolicy() {
        addresses(cart());
        assertThat(policies(garbage("bank/p"), garbage("shop/p"))).hasSize(2);
        assertThat(verdict()).isEqualTo(new Verdict.Denied("shop/p", 0));
    }

    @Test
    void deniesEverywhereForOneOfTheRootNamespace() {
        addresses(cart());
        policies(garbage("loam-system/p"));
        assertThat(verdict()).isEqualTo(new Verdict.Denied("loam-system/p", 0));
    }

    /// Others may still allow: what is unreadable allows nobody itself.
    @Test
    void allowsNobodyForAnAllowPolicyThatCannotBeRead() {
        addresses(cart());
        policies(policy(
                "shop/broken",
                Scope.NAMESPACE,
                Action.ALLOW,
                b -> b.addRulesBuilder().addClausesBuilder().addMatchesBuilder().addDestinationPorts(70_000)));
        assertThat(verdict()).isEqualTo(new Verdict.NotMatched(1, List.of("shop/broken")));

        policies(policy("shop/open", Scope.NAMESPACE, Action.ALLOW));
        assertThat(verdict()).isEqualTo(new Verdict.Allowed("shop/open"));
    }

    @Test
    void missesByItsNameAPolicyThatWorkloadsNameAndThatCannotBeRead() {
        addresses(cart(b -> b.addAuthorizationPolicies("shop/selected")));
        policies(policy("shop/selected", Scope.WORKLOAD_SELECTOR, Action.UNRECOGNIZED));
        assertThat(verdict()).isEqualTo(new Verdict.Undecided("shop/selected"));
    }

    @Test
    void enforcesNoDryRunThatCannotBeRead() {
        addresses(cart());
        policies(policy("shop/dry", Scope.NAMESPACE, Action.UNRECOGNIZED, b -> b.setDryRun(true)));
        assertThat(verdict().allows()).isTrue();
    }

    @Test
    void keepsTheLastGoodVersionOfAPolicy() {
        addresses(cart());
        policies(policy("shop/p", Scope.NAMESPACE, Action.ALLOW));
        assertThat(policies(policy("shop/p", Scope.NAMESPACE, Action.UNRECOGNIZED)))
                .hasSize(1);
        assertThat(verdict()).isEqualTo(new Verdict.Allowed("shop/p"));
        assertThat(assembly.versions(ResourceType.AUTHORIZATION)).containsEntry("shop/p", "v");
    }

    @Test
    void forgetsWhatRefusedWithTheResource() {
        addresses(cart());
        policies(garbage("shop/p"));
        assembly.apply(
                ResourceType.AUTHORIZATION,
                DeltaDiscoveryResponse.newBuilder()
                        .addRemovedResources("shop/p")
                        .build());
        assertThat(verdict().allows()).isTrue();
        assertThat(assembly.versions(ResourceType.AUTHORIZATION)).isEmpty();
    }

    @Test
    void takesTheGoodOnesOfAResponse() {
        assertThat(addresses(
                        cart(b -> b.setCapacity(com.google.protobuf.UInt32Value.newBuilder()
                                        .setValue(-1))
                                .setUid("Kubernetes//Pod/shop/bad")
                                .clearAddresses()),
                        cart()))
                .hasSize(1);
        policies();
        assertThat(view.current().workload(CART)).isNotNull();
    }

    /// Whoever cannot be read is a mesh peer all the same: nobody sends it plaintext.
    @Test
    void refusesConnectionsToAWorkloadThatCannotBeRead() {
        addresses(cart(b -> b.setTunnelProtocolValue(7)));
        policies();
        assertThat(route(CART_ADDRESS))
                .isInstanceOfSatisfying(
                        OutboundRoute.Refused.class,
                        refused -> assertThat(refused.reason()).isEqualTo(RefusalReason.NO_IDENTITY));

        addresses(cart());
        assertThat(route(CART_ADDRESS)).isInstanceOf(OutboundRoute.Tunnel.class);
    }

    @Test
    void refusesConnectionsToAServiceThatCannotBeRead() {
        addresses(resource(
                "shop/cart.local",
                Address.newBuilder()
                        .setService(Service.newBuilder()
                                .setNamespace("shop")
                                .setName("cart")
                                .setHostname("cart.local")
                                .addAddresses(io.loam.protocol.proto.workload.NetworkAddress.newBuilder()
                                        .setAddress(ByteString.copyFrom(VIRTUAL.getAddress())))
                                .addPorts(Port.newBuilder().setServicePort(70_000)))
                        .build()
                        .toByteString()));
        policies();
        assertThat(route(VIRTUAL))
                .isInstanceOfSatisfying(
                        OutboundRoute.Refused.class,
                        refused -> assertThat(refused.reason()).isEqualTo(RefusalReason.NO_HEALTHY_UPSTREAM));
    }

    /// 10,000 resources with a few wrong bits: each is taken or named, none ends the stream, and whatever the mesh
    /// says afterwards, the policy that denied before still denies.
    @Test
    void outlivesMutatedResources() {
        addresses(cart());
        policies(policy("shop/closed", Scope.NAMESPACE, Action.DENY));
        var random = new Random(42);
        int rejected = 0;
        for (int i = 0; i < 10_000; i++) {
            boolean address = random.nextBoolean();
            var good = address ? cart(b -> b.setUid("u")) : policy("shop/p", Scope.NAMESPACE, Action.ALLOW);
            byte[] bytes = good.getResource().getValue().toByteArray();
            for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
                bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
            }
            var mutated = resource(address ? "u" : "shop/p", ByteString.copyFrom(bytes));
            rejected += (address ? addresses(mutated) : policies(mutated)).size();
            assertThat(verdict().allows()).isFalse();
        }
        assertThat(rejected).isGreaterThan(1_000);
        System.out.printf("hazard I19: 10000 of 10000 mutated resources survived, %d named, 0 widened%n", rejected);
    }

    private List<String> addresses(Resource... resources) {
        return assembly.apply(ResourceType.ADDRESS, response(resources));
    }

    private List<String> policies(Resource... resources) {
        return assembly.apply(ResourceType.AUTHORIZATION, response(resources));
    }

    private static DeltaDiscoveryResponse response(Resource... resources) {
        return DeltaDiscoveryResponse.newBuilder()
                .addAllResources(List.of(resources))
                .build();
    }

    private Verdict verdict() {
        var mesh = view.current();
        var local = mesh.workload(CART);
        if (local == null) {
            throw new AssertionError("cart is not known");
        }
        return Authorizer.decide(mesh.policiesFor(local), new ConnectionAttributes(null, VIRTUAL, CART_ADDRESS, 8080));
    }

    private OutboundRoute route(InetAddress destination) {
        var source = view.current().workloadByAddress(new NetworkAddress("", destination));
        var caller = io.loam.protocol.xds.WorkloadMapping.toModel(
                workload().setUid("caller").build());
        assertThat(source == null || source.addresses().contains(destination)).isTrue();
        return OutboundRouter.route(
                view.current(),
                new OutboundRequest(
                        caller, InetAddress.ofLiteral("10.0.0.9"), new InetSocketAddress(destination, 80), ""),
                new Random(1));
    }

    private static Resource cart() {
        return cart(_ -> {});
    }

    private static Resource cart(java.util.function.Consumer<Workload.Builder> change) {
        var workload = workload().addAddresses(ByteString.copyFrom(CART_ADDRESS.getAddress()));
        change.accept(workload);
        return resource(
                workload.getUid(),
                Address.newBuilder().setWorkload(workload).build().toByteString());
    }

    private static Workload.Builder workload() {
        return Workload.newBuilder()
                .setUid(CART)
                .setName("cart")
                .setNamespace("shop")
                .setTunnelProtocol(TunnelProtocol.HBONE);
    }

    private static Resource policy(String name, Scope scope, Action action) {
        return policy(name, scope, action, b -> b.addRulesBuilder());
    }

    private static Resource policy(
            String name, Scope scope, Action action, java.util.function.Consumer<Authorization.Builder> change) {
        var parts = name.split("/");
        var policy = Authorization.newBuilder()
                .setNamespace(parts[0])
                .setName(parts[1])
                .setScope(scope);
        if (action == Action.UNRECOGNIZED) {
            policy.setActionValue(9);
        } else {
            policy.setAction(action);
        }
        change.accept(policy);
        return resource(name, policy.build().toByteString());
    }

    private static Resource garbage(String name) {
        return resource(name, ByteString.copyFrom(new byte[] {(byte) 0xff, 1, 2}));
    }

    private static Resource resource(String name, ByteString bytes) {
        return Resource.newBuilder()
                .setName(name)
                .setVersion("v")
                .setResource(Any.newBuilder().setValue(bytes))
                .build();
    }
}
