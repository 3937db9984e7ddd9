package io.loam.model.decision;

import static io.loam.model.Meshes.key;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.loam.model.Meshes;
import io.loam.model.Meshes.WorkloadBuilder;
import io.loam.model.decision.EndpointChoice.Purpose;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.LoadBalancing.Scope;
import io.loam.model.service.Service;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Wire reference, 3.4.
final class EndpointChoiceTest {
    private static final Workload SOURCE = endpoint("source", "r1", "z1").build();
    private static final List<Scope> NETWORK_REGION_ZONE = List.of(Scope.NETWORK, Scope.REGION, Scope.ZONE);

    @Test
    void choosesFromAllWithoutPreferences() {
        assertThat(chosen(LoadBalancing.ANY, endpoint("a", "r1", "z1"), endpoint("b", "r2", "z2")))
                .containsOnlyKeys("a", "b");
    }

    @Test
    void wantsEveryPreferenceInStrictMode() {
        var strict = balancing(Mode.STRICT, List.of(Scope.REGION, Scope.ZONE));
        assertThat(chosen(strict, endpoint("a", "r1", "z1"), endpoint("b", "r1", "z2")))
                .containsOnlyKeys("a");
        assertThat(chosen(strict, endpoint("b", "r1", "z2"))).isEmpty();
    }

    @Test
    void countsLeadingMatchesInFailoverMode() {
        var failover = balancing(Mode.FAILOVER, List.of(Scope.REGION, Scope.ZONE));
        var zoneOfOtherRegion = endpoint("c", "r2", "z1"); // its zone does not count: the region comes first
        assertThat(chosen(failover, endpoint("a", "r1", "z2"), zoneOfOtherRegion))
                .containsOnlyKeys("a");
        assertThat(chosen(failover, zoneOfOtherRegion, endpoint("d", "r3", "z3")))
                .containsOnlyKeys("c", "d");
    }

    /// The ladder of the reference, best first: each step wins over all that follow.
    @Test
    void putsTheOwnNetworkBeforeEverythingElse() {
        var ladder = List.of(
                endpoint("5", "r1", "z1"),
                endpoint("4", "r1", "z2"),
                endpoint("3", "r2", "z2"),
                endpoint("2", "r1", "z1").with(EndpointChoiceTest::remote),
                endpoint("1", "r1", "z2").with(EndpointChoiceTest::remote),
                endpoint("0", "r2", "z2").with(EndpointChoiceTest::remote));
        var failover = balancing(Mode.FAILOVER, NETWORK_REGION_ZONE);
        var left = new ArrayList<>(ladder);
        for (int rank = 5; rank >= 0; rank--) {
            assertThat(chosen(failover, left.toArray(WorkloadBuilder[]::new))).containsOnlyKeys("" + rank);
            left.removeFirst();
        }
    }

    @Test
    void weighsByCapacity() {
        var counts = chosen(
                LoadBalancing.ANY,
                endpoint("a", "r1", "z1").with(w -> w.capacity = 3),
                endpoint("b", "r1", "z1"),
                endpoint("c", "r1", "z1").with(w -> w.capacity = 0));
        assertThat(counts).containsOnlyKeys("a", "b");
        assertThat(counts.get("a")).isBetween(1400, 1600);
    }

    /// Hazard I12. An endpoint that was found to be somebody else does not keep others away by its rank either; one
    /// that
    /// has got another identity meanwhile is another one.
    @Test
    void choosesAsIfTheOneThatIsAvoidedDidNotExist() {
        var near = endpoint("near", "r1", "z1").build();
        var far = endpoint("far", "r2", "z2").build();
        var other =
                endpoint("near", "r1", "z1").with(w -> w.namespace = "other").build();
        var failover = service("cart", "10.96.0.1")
                .with(s -> s.balancing = balancing(Mode.FAILOVER, List.of(Scope.REGION, Scope.ZONE)))
                .build();

        assertThat(otherThan(near, Meshes.mesh(near, far, failover))).isEqualTo("far");
        assertThat(otherThan(near, Meshes.mesh(near, failover))).isEqualTo("none");
        assertThat(otherThan(near, Meshes.mesh(other, far, failover))).isEqualTo("near");
    }

    private static String otherThan(Workload avoided, MeshSnapshot mesh) {
        var cart = Objects.requireNonNull(mesh.service(key("shop", "cart")));
        var chosen =
                EndpointChoice.chooseOther(mesh, cart, 80, SOURCE, Purpose.ENDPOINT, new SplittableRandom(1), avoided);
        return chosen == null ? "none" : chosen.workload().name();
    }

    @Test
    void choosesNothingWhenNoCapacityIsLeft() {
        assertThat(chosen(LoadBalancing.ANY, endpoint("a", "r1", "z1").with(w -> w.capacity = 0)))
                .isEmpty();
    }

    @Test
    void skipsEndpointsWithoutAWayToThem() {
        var lost = pod("lost").of(key("shop", "cart"));
        var behindGateway = pod("gateway").of(key("shop", "cart")).with(w -> {
            w.network = "west";
            w.networkGateway = Meshes.gateway("192.0.2.1");
        });
        assertThat(chosen(LoadBalancing.ANY, lost)).isEmpty();
        assertThat(chosen(LoadBalancing.ANY, lost, behindGateway)).containsOnlyKeys("gateway");
    }

    /// What was worked out for one mesh must not outlive a change of the endpoints or of the service.
    @Test
    void seesEachChangeAtOnce() {
        var a = endpoint("a", "r1", "z1").build();
        var b = endpoint("b", "r2", "z2").build();
        var any = service("cart", "10.96.0.1").build();
        var mesh = Meshes.mesh(a, any);
        assertThat(chosenIn(mesh)).containsOnlyKeys("a");

        mesh = mesh.apply(MeshDelta.builder().upsert(b).build());
        assertThat(chosenIn(mesh)).containsOnlyKeys("a", "b");

        var strict = balancing(Mode.STRICT, List.of(Scope.REGION));
        var near = service("cart", "10.96.0.1").with(s -> s.balancing = strict).build();
        mesh = mesh.apply(MeshDelta.builder().upsert(near).build());
        assertThat(chosenIn(mesh)).containsOnlyKeys("a");

        mesh = mesh.apply(MeshDelta.builder().removeWorkload(a.uid()).build());
        assertThat(chosenIn(mesh)).isEmpty();
    }

    /// An event loop must not look at all endpoints because one of them changed: whoever builds the snapshot
    /// does.
    @Test
    void hasTheCandidatesReadyAfterEachChange() {
        var mesh = Meshes.mesh(endpoint("a", "r1", "z1"), service("cart", "10.96.0.1"));
        assertThat(candidates(mesh)).isNull(); // nobody has asked yet
        assertThat(nameOf(mesh, 80, SOURCE)).isEqualTo("a");

        var more = mesh.apply(
                MeshDelta.builder().upsert(endpoint("b", "r1", "z1").build()).build());
        assertThat(candidates(more)).isNotNull();
        var near = service("cart", "10.96.0.1")
                .with(s -> s.balancing = balancing(Mode.FAILOVER, NETWORK_REGION_ZONE))
                .build();
        var redeclared = more.apply(MeshDelta.builder().upsert(near).build());
        assertThat(candidates(redeclared)).isNotNull();
        var fewer = redeclared.apply(MeshDelta.builder()
                .removeWorkload(endpoint("a", "r1", "z1").build().uid())
                .build());
        assertThat(candidates(fewer)).isNotNull();
        assertThat(chosenIn(fewer)).containsOnlyKeys("b");
        assertThat(chosenIn(more)).containsOnlyKeys("a", "b"); // the snapshots before stay what they were
    }

    private static @Nullable Object candidates(MeshSnapshot mesh) {
        var cart = Objects.requireNonNull(mesh.service(key("shop", "cart")));
        return Objects.requireNonNull(mesh.candidates(cart)).find(cart, 80, false, SOURCE);
    }

    @Test
    void keepsPlacesAndPortsApart() {
        var failover = balancing(Mode.FAILOVER, List.of(Scope.REGION));
        var ports = List.of(Meshes.port(80, 8080), Meshes.port(81, 8081));
        var cart = service("cart", "10.96.0.1")
                .with(s -> {
                    s.balancing = failover;
                    s.ports = ports.subList(0, 1);
                })
                .build();
        var onlyHere = endpoint("a", "r1", "z1");
        var serves81 = pod("b", "10.0.0.9")
                .of(key("shop", "cart"), ports.get(1))
                .with(w -> w.locality = new Locality("r2", "z2", ""));
        var mesh = Meshes.mesh(onlyHere, serves81, cart);
        var elsewhere = endpoint("elsewhere", "r2", "z9").build();
        for (int round = 0; round < 2; round++) {
            assertThat(nameOf(mesh, 80, SOURCE)).isEqualTo("a");
            assertThat(nameOf(mesh, 80, elsewhere)).isEqualTo("b");
            assertThat(nameOf(mesh, 81, SOURCE)).isEqualTo("b");
        }
    }

    @Test
    void choosesWithoutAllocating() {
        var resources = new ArrayList<Object>();
        for (int i = 0; i < 500; i++) {
            int capacity = 1 + i % 3;
            resources.add(pod("e" + i, "10.1." + (i >> 8) + "." + (i & 0xff))
                    .of(key("shop", "cart"))
                    .with(w -> w.capacity = capacity));
        }
        resources.add(service("cart", "10.96.0.1"));
        var mesh = Meshes.mesh(resources.toArray());
        var cart = Objects.requireNonNull(mesh.service(key("shop", "cart")));
        var random = new SplittableRandom(3);
        chooseManyTimes(mesh, cart, random);
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        chooseManyTimes(mesh, cart, random);
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;

        assertThat(allocated).as("bytes for 100,000 choices").isLessThan(4096);
    }

    private static void chooseManyTimes(MeshSnapshot mesh, Service service, SplittableRandom random) {
        for (int i = 0; i < 100_000; i++) {
            if (EndpointChoice.choose(mesh, service, 80, SOURCE, Purpose.ENDPOINT, random) == null) {
                throw new AssertionError("no endpoint");
            }
        }
    }

    private static String nameOf(MeshSnapshot mesh, int port, Workload source) {
        var cart = Objects.requireNonNull(mesh.service(key("shop", "cart")));
        var chosen = EndpointChoice.choose(mesh, cart, port, source, Purpose.ENDPOINT, new SplittableRandom(1));
        return chosen == null ? "none" : chosen.workload().name();
    }

    private static LoadBalancing balancing(Mode mode, List<Scope> preferences) {
        return new LoadBalancing(preferences, mode, HealthPolicy.ONLY_HEALTHY);
    }

    private static void remote(WorkloadBuilder workload) {
        workload.network = "west";
    }

    private static WorkloadBuilder endpoint(String name, String region, String zone) {
        return pod(name, "10.0.0." + (1 + name.charAt(0) % 100))
                .of(key("shop", "cart"))
                .with(w -> w.locality = new Locality(region, zone, ""));
    }

    /// How often each endpoint is chosen in 2,000 connections.
    private static Map<String, Integer> chosen(LoadBalancing balancing, WorkloadBuilder... endpoints) {
        var service =
                service("cart", "10.96.0.1").with(s -> s.balancing = balancing).build();
        var resources = new ArrayList<Object>(List.of(endpoints));
        resources.add(service);
        return chosenIn(Meshes.mesh(resources.toArray()));
    }

    private static Map<String, Integer> chosenIn(MeshSnapshot mesh) {
        var service = Objects.requireNonNull(mesh.service(key("shop", "cart")));
        var random = new SplittableRandom(3);
        var counts = new TreeMap<String, Integer>();
        for (int i = 0; i < 2_000; i++) {
            var endpoint = EndpointChoice.choose(mesh, service, 80, SOURCE, Purpose.ENDPOINT, random);
            if (endpoint != null) {
                counts.merge(endpoint.workload().name(), 1, Integer::sum);
            }
        }
        return counts;
    }
}
