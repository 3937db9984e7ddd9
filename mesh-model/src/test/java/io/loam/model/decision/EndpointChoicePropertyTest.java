package io.loam.model.decision;

import static io.loam.model.Meshes.key;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.port;
import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;

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
import io.loam.model.workload.Workload.Status;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Random services that change while they are used, against the table of the wire reference, 3.4, written a
/// second time and differently: every endpoint is compared with all others, and nothing is kept between
/// connections.
final class EndpointChoicePropertyTest {
    private static final int MESHES = 60;
    private static final int CHANGES = 12;
    private static final int DRAWS = 4_000;
    private static final List<String> NETWORKS = List.of("", "", "", "west");
    private static final List<String> REGIONS = List.of("r1", "r2");
    private static final List<String> ZONES = List.of("z1", "z2", "");

    @ParameterizedTest
    @EnumSource(
            value = Mode.class,
            names = {"UNSPECIFIED", "STRICT", "FAILOVER"})
    void choosesOnlyAmongTheBestAndByWeight(Mode mode) {
        for (int seed = 0; seed < MESHES; seed++) {
            var random = new Random(seed * 31L + mode.name().hashCode());
            var known = new HashMap<String, Workload>();
            var cart = declared(random, mode);
            var mesh = MeshSnapshot.EMPTY.apply(MeshDelta.builder().upsert(cart).build());
            for (int change = 0; change < CHANGES; change++) {
                if (random.nextInt(5) == 0) {
                    cart = declared(random, mode);
                    mesh = mesh.apply(MeshDelta.builder().upsert(cart).build());
                } else {
                    mesh = mesh.apply(change(random, known));
                }
                for (var source : List.of(source(random), source(random))) {
                    for (int servicePort : new int[] {80, 81}) {
                        check(mesh, cart, servicePort, source, known, random, "seed " + seed + ", change " + change);
                    }
                }
            }
        }
    }

    private static void check(
            MeshSnapshot mesh,
            Service cart,
            int servicePort,
            Workload source,
            Map<String, Workload> known,
            Random random,
            String which) {
        var expected = expected(cart, servicePort, source, known);
        long capacity = expected.stream().mapToLong(Workload::capacity).sum();
        var counts = new TreeMap<String, Integer>();
        boolean weigh = random.nextInt(20) == 0;
        for (int i = 0; i < (weigh ? DRAWS : 20); i++) {
            var chosen = EndpointChoice.choose(
                    mesh,
                    Objects.requireNonNull(mesh.service(cart.key())),
                    servicePort,
                    source,
                    Purpose.ENDPOINT,
                    random);
            if (expected.isEmpty()) {
                assertThat(chosen).as(which).isNull();
                return;
            }
            assertThat(expected)
                    .as(which)
                    .contains(Objects.requireNonNull(chosen, which).workload());
            counts.merge(chosen.workload().uid(), 1, Integer::sum);
        }
        if (weigh) {
            for (var endpoint : expected) {
                double share = (double) endpoint.capacity() / capacity;
                double sigma = Math.sqrt(DRAWS * share * (1 - share));
                assertThat((double) counts.getOrDefault(endpoint.uid(), 0))
                        .as("%s, %s of %s", which, endpoint.uid(), capacity)
                        .isBetween(DRAWS * share - 6 * sigma - 1, DRAWS * share + 6 * sigma + 1);
            }
        }
    }

    private static List<Workload> expected(
            Service cart, int servicePort, Workload source, Map<String, Workload> known) {
        var balancing = cart.loadBalancing();
        var fit = known.values().stream()
                .filter(w -> w.services().containsKey(cart.key()))
                .filter(w -> w.status() == Status.HEALTHY || balancing.health() == HealthPolicy.ALLOW_ALL)
                .filter(w -> w.capacity() > 0)
                .filter(w -> cart.ports().stream().anyMatch(p -> p.servicePort() == servicePort && p.targetPort() > 0)
                        || Objects.requireNonNull(w.services().get(cart.key())).stream()
                                .anyMatch(p -> p.servicePort() == servicePort))
                .toList();
        return switch (balancing.mode()) {
            case UNSPECIFIED, PASSTHROUGH -> fit;
            case STRICT ->
                fit.stream()
                        .filter(w -> matches(balancing.preferences(), source, w).stream()
                                .allMatch(match -> match))
                        .toList();
            case FAILOVER ->
                fit.stream()
                        .filter(w -> fit.stream()
                                .noneMatch(other -> compare(
                                                matches(balancing.preferences(), source, other),
                                                matches(balancing.preferences(), source, w),
                                                balancing.preferences())
                                        > 0))
                        .toList();
        };
    }

    private static List<Boolean> matches(List<Scope> preferences, Workload a, Workload b) {
        return preferences.stream()
                .map(scope -> part(scope, a).equals(part(scope, b)))
                .toList();
    }

    private static String part(Scope scope, Workload workload) {
        return switch (scope) {
            case REGION -> workload.locality().region();
            case ZONE -> workload.locality().zone();
            case SUBZONE -> workload.locality().subzone();
            case NODE -> workload.node();
            case CLUSTER -> workload.clusterId();
            case NETWORK -> workload.network();
        };
    }

    /// The longer run of matches wins; a leading NETWORK is decided before the rest.
    private static int compare(List<Boolean> a, List<Boolean> b, List<Scope> preferences) {
        boolean network = !preferences.isEmpty() && preferences.getFirst() == Scope.NETWORK;
        if (network && !a.getFirst().equals(b.getFirst())) {
            return a.getFirst() ? 1 : -1;
        }
        int from = network ? 1 : 0;
        return Integer.compare(run(a.subList(from, a.size())), run(b.subList(from, b.size())));
    }

    private static int run(List<Boolean> matches) {
        int end = matches.indexOf(false);
        return end < 0 ? matches.size() : end;
    }

    private static Service declared(Random random, Mode mode) {
        var scopes = new ArrayList<>(List.of(Scope.REGION, Scope.ZONE, Scope.NODE));
        Collections.shuffle(scopes, random);
        var preferences = new ArrayList<>(scopes.subList(0, random.nextInt(scopes.size() + 1)));
        if (random.nextBoolean()) {
            preferences.addFirst(Scope.NETWORK);
        }
        var health = random.nextInt(4) == 0 ? HealthPolicy.ALLOW_ALL : HealthPolicy.ONLY_HEALTHY;
        return service("cart", "10.96.0.1")
                .with(s -> s.balancing = new LoadBalancing(preferences, mode, health))
                .build();
    }

    private static MeshDelta change(Random random, Map<String, Workload> known) {
        var delta = MeshDelta.builder();
        for (int i = random.nextInt(4); i >= 0; i--) {
            int number = random.nextInt(9);
            var endpoint = pod("e-" + number, "10.0.0." + (10 + number));
            if (random.nextInt(3) == 0) {
                delta.removeWorkload(endpoint.uid);
                known.remove(endpoint.uid);
                continue;
            }
            place(
                    endpoint.with(w -> {
                        w.status = random.nextInt(3) == 0 ? Status.UNHEALTHY : Status.HEALTHY;
                        w.capacity = random.nextInt(4);
                    }),
                    random);
            if (random.nextInt(3) == 0) {
                endpoint.of(key("shop", "cart"), port(81, 8081));
            } else if (random.nextInt(5) > 0) {
                endpoint.of(key("shop", "cart"));
            }
            known.put(endpoint.uid, endpoint.build());
        }
        // removals come first in a delta, so what is there afterwards is upserted last
        known.values().forEach(delta::upsert);
        return delta.build();
    }

    private static Workload source(Random random) {
        return place(pod("source", "10.0.0.9"), random).build();
    }

    private static io.loam.model.Meshes.WorkloadBuilder place(
            io.loam.model.Meshes.WorkloadBuilder workload, Random random) {
        return workload.with(w -> {
            w.network = NETWORKS.get(random.nextInt(NETWORKS.size()));
            w.node = "node-" + random.nextInt(3);
            w.locality = new Locality(
                    REGIONS.get(random.nextInt(REGIONS.size())), ZONES.get(random.nextInt(ZONES.size())), "");
        });
    }
}
