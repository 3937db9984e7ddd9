package io.loam.controlplane.xds;

import static io.loam.controlplane.xds.Meshes.cart;
import static io.loam.controlplane.xds.Meshes.endpoint;
import static io.loam.controlplane.xds.Meshes.next;
import static io.loam.controlplane.xds.Meshes.uid;
import static io.loam.controlplane.xds.Meshes.workload;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.controlplane.xds.ResourceSet.Difference;
import io.loam.controlplane.xds.TypeSubscription.Accepted;
import io.loam.controlplane.xds.TypeSubscription.Nothing;
import io.loam.controlplane.xds.TypeSubscription.Rejected;
import io.loam.protocol.proto.discovery.DeltaDiscoveryRequest;
import io.loam.protocol.proto.discovery.Status;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class TypeSubscriptionTest {
    private static final String CART = "shop/cart.shop.svc.cluster.local";

    private final TypeSubscription subscription = new TypeSubscription(ResourceType.ADDRESS);
    private int nonce;

    @Test
    void sendsAWildcardSubscriberEverythingAndThenOnlyWhatChanges() {
        subscription.onRequest(DeltaDiscoveryRequest.getDefaultInstance());
        var first = next(null, cart("10.96.0.1"), workload("a", "10.0.0.1", "n1"), workload("b", "10.0.0.2", "n2"));

        assertThat(names(deliver(first))).containsExactlyInAnyOrder(CART, uid("a"), uid("b"));

        var second = next(first, cart("10.96.0.1"), workload("a", "10.0.0.9", "n1"), workload("c", "10.0.0.3", "n2"));
        var difference = deliver(second);

        assertThat(names(difference)).containsExactlyInAnyOrder(uid("a"), uid("c"));
        assertThat(difference.removed()).containsExactly(uid("b"));
        assertThat(subscription.next(second, "n1")).isNull();
        assertThat(subscription.acknowledgedGeneration()).isEqualTo(2);
    }

    @Test
    void answersTheFirstRequestEvenWhereThereIsNothing() {
        subscription.onRequest(DeltaDiscoveryRequest.getDefaultInstance());

        var difference = subscription.next(next(null), "n1");

        assertThat(difference).isEqualTo(Difference.NONE);
    }

    @Test
    void sendsAProxyThatReconnectsOnlyTheDifferenceToWhatItHolds() {
        var mesh = next(null, workload("a", "10.0.0.1", "n1"), workload("b", "10.0.0.2", "n2"));
        subscription.onRequest(DeltaDiscoveryRequest.newBuilder()
                .putInitialResourceVersions(uid("a"), version(mesh, uid("a")))
                .putInitialResourceVersions(uid("b"), "older")
                .putInitialResourceVersions(uid("gone"), "any")
                .build());

        var difference = deliver(mesh);

        assertThat(names(difference)).containsExactly(uid("b"));
        assertThat(difference.removed()).containsExactly(uid("gone"));
    }

    @Test
    void keepsOneResponseOutstandingAndSendsTheSumOfWhatWasMissed() {
        subscription.onRequest(DeltaDiscoveryRequest.getDefaultInstance());
        var first = next(null, workload("a", "10.0.0.1", "n1"));
        assertThat(subscription.next(first, "n1")).isNotNull();
        subscription.sent("1", first.generation());
        var second = next(first, workload("a", "10.0.0.1", "n1"), workload("b", "10.0.0.2", "n1"));
        assertThat(subscription.next(second, "n1")).isNull();
        var third = next(second, workload("b", "10.0.0.2", "n1"), workload("c", "10.0.0.3", "n1"));
        assertThat(subscription.next(third, "n1")).isNull();

        assertThat(subscription.onRequest(ack("1"))).isInstanceOf(Accepted.class);
        var difference = Objects.requireNonNull(subscription.next(third, "n1"));

        assertThat(names(difference)).containsExactlyInAnyOrder(uid("b"), uid("c"));
        assertThat(difference.removed()).containsExactly(uid("a"));
    }

    @Test
    void takesARejectionForAnAnswerAndDoesNotSendTheSameAgain() {
        subscription.onRequest(DeltaDiscoveryRequest.getDefaultInstance());
        var mesh = next(null, workload("a", "10.0.0.1", "n1"));
        assertThat(subscription.next(mesh, "n1")).isNotNull();
        subscription.sent("1", 1);

        var reply = subscription.onRequest(ack("1").toBuilder()
                .setErrorDetail(Status.newBuilder().setCode(3).setMessage(uid("a") + ": bad"))
                .build());

        assertThat(reply).isEqualTo(new Rejected(uid("a") + ": bad"));
        assertThat(subscription.next(mesh, "n1")).isNull();
    }

    @Test
    void ignoresAnOldNonce() {
        subscription.onRequest(DeltaDiscoveryRequest.getDefaultInstance());
        deliver(next(null, workload("a", "10.0.0.1", "n1")));

        assertThat(subscription.onRequest(ack("1"))).isInstanceOf(Nothing.class);
    }

    @Test
    void sendsOnDemandOnlyTheNodesOwnWorkloadsAndWhatWasAskedFor() {
        var mesh = next(
                null,
                cart("10.96.0.1"),
                workload("local", "10.0.0.1", "n1"),
                endpoint("cart-1", "10.0.0.2", "n2"),
                workload("far", "10.0.0.3", "n2"));
        subscription.onRequest(onDemand());
        assertThat(names(deliver(mesh))).containsExactly(uid("local"));

        subscription.onRequest(subscribe("/10.96.0.1")); // an address of the service

        assertThat(names(deliver(mesh))).containsExactlyInAnyOrder(CART, uid("cart-1"));

        subscription.onRequest(subscribe(uid("far")));

        assertThat(names(deliver(mesh))).containsExactly(uid("far"));
    }

    @Test
    void saysOnDemandThatANameDoesNotExistAndSendsItOnceItDoes() {
        var first = next(null, workload("local", "10.0.0.1", "n1"));
        subscription.onRequest(onDemand());
        deliver(first);

        subscription.onRequest(subscribe("/10.0.0.7"));

        assertThat(deliver(first).removed()).containsExactly("/10.0.0.7");
        var second = next(first, workload("local", "10.0.0.1", "n1"), workload("late", "10.0.0.7", "n2"));
        assertThat(names(deliver(second))).containsExactly(uid("late"));
        assertThat(deliver(next(second, workload("local", "10.0.0.1", "n1"))).removed())
                .containsExactly(uid("late"));
    }

    @Test
    void sendsAgainOnDemandWhatIsAskedForAgain() {
        var mesh = next(null, workload("far", "10.0.0.3", "n2"));
        subscription.onRequest(onDemand());
        deliver(mesh);
        subscription.onRequest(subscribe(uid("far")));
        deliver(mesh);

        subscription.onRequest(subscribe(uid("far")));

        assertThat(names(deliver(mesh))).containsExactly(uid("far"));
    }

    @Test
    void sendsOnDemandToWhoComesBackOnlyWhatIsDifferent() {
        var mesh =
                next(null, cart("10.96.0.1"), endpoint("cart-1", "10.0.0.2", "n2"), workload("far", "10.0.0.3", "n2"));

        subscription.onRequest(onDemand().toBuilder()
                .addAllResourceNamesSubscribe(List.of("/10.96.0.1", "/10.0.0.3", "/10.0.0.9"))
                .putInitialResourceVersions(CART, version(mesh, CART))
                .putInitialResourceVersions(uid("cart-1"), version(mesh, uid("cart-1")))
                .putInitialResourceVersions(uid("far"), "of another time")
                .putInitialResourceVersions(uid("long-gone"), "of another time")
                .build());
        var difference = deliver(mesh);

        assertThat(names(difference)).containsExactly(uid("far"));
        assertThat(difference.removed()).containsExactlyInAnyOrder("/10.0.0.9", uid("long-gone"));
        subscription.onRequest(subscribe("/10.96.0.1"));
        assertThat(names(deliver(mesh))).as("asked for again").containsExactlyInAnyOrder(CART, uid("cart-1"));
    }

    /// A range has no name: nobody has the address itself, and the service that it belongs to comes along.
    @Test
    void sendsOnDemandTheServiceInWhoseRangeAnAddressLies() {
        var range = Meshes.range("10.200.0.0", 16);
        var mesh = next(null, range, workload("local", "10.0.0.1", "n1"));
        subscription.onRequest(onDemand());
        assertThat(names(deliver(mesh))).containsExactly(uid("local"));

        subscription.onRequest(subscribe("/10.200.3.4"));
        var difference = deliver(mesh);

        assertThat(names(difference)).containsExactly(range.key().toString());
        assertThat(difference.removed()).containsExactly("/10.200.3.4");
    }

    @Test
    void stopsOnDemandToSendWhatWasGivenUp() {
        var first = next(null, workload("far", "10.0.0.3", "n2"));
        subscription.onRequest(onDemand());
        deliver(first);
        subscription.onRequest(subscribe(uid("far")));
        deliver(first);

        subscription.onRequest(DeltaDiscoveryRequest.newBuilder()
                .addResourceNamesUnsubscribe(uid("far"))
                .build());

        assertThat(subscription.next(next(first, workload("far", "10.0.0.4", "n2")), "n1"))
                .isNull();
    }

    /// Hazard P8.
    @Test
    void tellsWhoWaitsForItsTurnEverythingAndWhatIsGone() {
        var first = next(null, workload("a", "10.0.0.1", "n1"), workload("b", "10.0.0.2", "n1"));
        subscription.onRequest(DeltaDiscoveryRequest.newBuilder()
                .putInitialResourceVersions(uid("a"), "")
                .putInitialResourceVersions(uid("b"), "")
                .putInitialResourceVersions(uid("long-gone"), "")
                .build());
        assertThat(subscription.isFullSync(first)).isTrue();
        subscription.waits(first);

        var second = next(first, workload("a", "10.0.0.1", "n1"), workload("c", "10.0.0.3", "n1"));
        subscription.waits(second);
        var difference = deliver(second);

        assertThat(names(difference)).containsExactlyInAnyOrder(uid("a"), uid("c"));
        assertThat(difference.removed()).containsExactlyInAnyOrder(uid("b"), uid("long-gone"));
        assertThat(subscription.isFullSync(second)).isFalse();
        assertThat(subscription.next(second, "n1")).isNull();
    }

    /// Hazard P8: what was encoded by a control plane of another version is no better than nothing.
    @Test
    void aDeltaOfMostOfTheMeshIsAFullSyncToo() {
        var mesh = next(null, workload("a", "10.0.0.1", "n1"), workload("b", "10.0.0.2", "n1"));
        subscription.onRequest(DeltaDiscoveryRequest.newBuilder()
                .putInitialResourceVersions(uid("a"), version(mesh, uid("a")))
                .putInitialResourceVersions(uid("b"), "of another time")
                .build());
        assertThat(subscription.isFullSync(mesh)).isFalse();

        var other = new TypeSubscription(ResourceType.ADDRESS);
        other.onRequest(DeltaDiscoveryRequest.newBuilder()
                .putInitialResourceVersions(uid("a"), "of another time")
                .putInitialResourceVersions(uid("b"), "of another time")
                .build());
        assertThat(other.isFullSync(mesh)).isTrue();
    }

    @Test
    void givesEqualContentTheSameVersionInAnotherProcess() {
        var one = next(null, endpoint("a", "10.0.0.1", "n1"));
        var other = next(null, endpoint("a", "10.0.0.1", "n1"));

        assertThat(version(one, uid("a"))).isEqualTo(version(other, uid("a"))).hasSize(16);
    }

    @Test
    void sharesWhatDidNotChange() {
        var first = next(null, workload("a", "10.0.0.1", "n1"), Meshes.policy("p"));
        var second = next(first, workload("a", "10.0.0.1", "n1"), Meshes.policy("q"));

        assertThat(second.of(ResourceType.ADDRESS)).isSameAs(first.of(ResourceType.ADDRESS));
        assertThat(second.of(ResourceType.AUTHORIZATION)).isNotSameAs(first.of(ResourceType.AUTHORIZATION));
    }

    /// Sends what is due and has it confirmed.
    private Difference deliver(MeshResources mesh) {
        var difference = Objects.requireNonNull(subscription.next(mesh, "n1"), "nothing to send");
        var sent = Integer.toString(++nonce);
        subscription.sent(sent, mesh.generation());
        assertThat(subscription.onRequest(ack(sent))).isInstanceOf(Accepted.class);
        return difference;
    }

    private static DeltaDiscoveryRequest onDemand() {
        return DeltaDiscoveryRequest.newBuilder()
                .addResourceNamesSubscribe("*")
                .addResourceNamesUnsubscribe("*")
                .build();
    }

    private static DeltaDiscoveryRequest subscribe(String name) {
        return DeltaDiscoveryRequest.newBuilder()
                .addResourceNamesSubscribe(name)
                .build();
    }

    private static DeltaDiscoveryRequest ack(String nonce) {
        return DeltaDiscoveryRequest.newBuilder().setResponseNonce(nonce).build();
    }

    private static List<String> names(Difference difference) {
        return difference.changed().stream().map(MeshResource::name).toList();
    }

    private static String version(MeshResources mesh, String name) {
        return versions(mesh).getOrDefault(name, "");
    }

    private static Map<String, String> versions(MeshResources mesh) {
        return mesh.of(ResourceType.ADDRESS).all().stream()
                .collect(Collectors.toMap(MeshResource::name, MeshResource::version));
    }
}
