package io.loam.model.explain;

import static io.loam.model.Meshes.at;
import static io.loam.model.Meshes.gateway;
import static io.loam.model.Meshes.key;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.port;
import static io.loam.model.Meshes.service;

import io.loam.model.Meshes;
import io.loam.model.address.CidrBlock;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.Match;
import io.loam.model.policy.StringMatch;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.ServicePort;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Egress;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;

/// Small meshes of everything that decides about connections: pods in and out of the mesh, services with and without
/// ready endpoints, strict ones, waypoints, closed egress, policies of every scope, names of policies that do not
/// exist.
final class RandomMeshes {
    private static final List<String> ACCOUNTS = List.of("web", "cart", "till");
    private static final List<String> NAMESPACES = List.of("shop", "bank");

    final MeshSnapshot mesh;
    final List<Workload> pods = new ArrayList<>();
    private final Random random;

    RandomMeshes(long seed) {
        random = new Random(seed);
        var resources = new ArrayList<Object>();
        var policies = new ArrayList<String>();
        for (int i = random.nextInt(5); i > 0; i--) {
            var policy = policy(i);
            resources.add(policy);
            if (policy.scope() == Scope.WORKLOAD_SELECTOR) {
                policies.add(policy.key());
            }
        }
        for (int i = 0; i < 6; i++) {
            int number = i;
            var pod = pod(pick(ACCOUNTS) + "-" + i, "10.244.0." + (10 + i)).with(made -> {
                made.namespace = pick(NAMESPACES);
                made.uid = "Kubernetes//Pod/" + made.namespace + "/" + number;
                made.node = "node-" + random.nextInt(2);
                made.tunnel = odds(4) ? TunnelProtocol.NONE : TunnelProtocol.HBONE;
                made.status = odds(4) ? Status.UNHEALTHY : Status.HEALTHY;
                made.egress = odds(3) ? Egress.REGISTRY_ONLY : Egress.ALLOW_ANY;
                made.capacity = odds(8) ? 0 : odds(4) ? 3 : 1;
                made.waypoint = odds(10) ? gateway("10.244.0.10") : null;
                var named = new ArrayList<String>(
                        policies.stream().filter(_ -> odds(2)).toList());
                if (odds(12)) {
                    named.add("shop/not-sent");
                }
                made.policies = named;
            });
            if (odds(2)) {
                pod.of(key("shop", "web"), odds(3) ? new ServicePort[] {port(80, 9000)} : new ServicePort[0]);
            }
            if (odds(2)) {
                pod.of(key("shop", "cart"));
            }
            pods.add(pod.build());
        }
        resources.addAll(pods);
        resources.add(service("web", "10.96.0.1").with(made -> {
            made.balancing = new LoadBalancing(
                    odds(2) ? List.of(LoadBalancing.Scope.NODE) : List.of(),
                    pick(List.of(Mode.UNSPECIFIED, Mode.STRICT, Mode.FAILOVER, Mode.PASSTHROUGH)),
                    odds(4) ? HealthPolicy.ALLOW_ALL : HealthPolicy.ONLY_HEALTHY);
            made.waypoint = odds(5) ? gateway(key("shop", "cart")) : null;
        }));
        resources.add(service("cart", "10.96.0.2")
                .with(made -> made.ports = List.of(port(15008, 15008), port(80, odds(6) ? 15001 : 8080))));
        mesh = Meshes.mesh(resources.toArray());
    }

    Workload source() {
        return pick(pods);
    }

    InetSocketAddress destination() {
        var address = pick(List.of("10.96.0.1", "10.96.0.2", "10.244.0.11", "10.244.0.12", "10.244.0.14", "192.0.2.1"));
        return at(address, pick(List.of(80, 80, 8080, 81, 15008)));
    }

    private AuthorizationPolicy policy(int number) {
        var rules = new ArrayList<Rule>();
        for (int i = random.nextInt(3); i >= 0; i--) {
            var clauses = new ArrayList<Clause>();
            for (int j = random.nextInt(3); j > 0; j--) {
                clauses.add(new Clause(odds(3) ? List.of(match(), match()) : List.of(match())));
            }
            rules.add(new Rule(clauses));
        }
        return new AuthorizationPolicy(
                "p" + number,
                pick(NAMESPACES),
                pick(List.of(Scope.values())),
                odds(2) ? Action.ALLOW : Action.DENY,
                rules,
                odds(6));
    }

    private Match match() {
        return new Match(
                some(4, new StringMatch.Exact(pick(NAMESPACES))),
                some(8, new StringMatch.Exact(pick(NAMESPACES))),
                some(2, principal()),
                some(6, odds(3) ? new StringMatch.Presence() : principal()),
                some(8, new Match.ServiceAccountMatch(pick(NAMESPACES), pick(ACCOUNTS))),
                some(8, new Match.ServiceAccountMatch(pick(NAMESPACES), pick(ACCOUNTS))),
                some(6, CidrBlock.parse("10.244.0.8/30")),
                some(8, CidrBlock.parse("10.244.0.10/32")),
                some(10, CidrBlock.parse("10.244.0.12/31")),
                List.of(),
                Set.copyOf(some(4, pick(List.of(8080, 80)))),
                Set.copyOf(some(8, pick(List.of(8080, 9000)))));
    }

    private StringMatch principal() {
        return new StringMatch.Exact("cluster.local/ns/" + pick(NAMESPACES) + "/sa/" + pick(ACCOUNTS));
    }

    private <V> List<V> some(int odds, V value) {
        return odds(odds) ? List.of(value) : List.of();
    }

    private boolean odds(int one) {
        return random.nextInt(one) == 0;
    }

    private <V> V pick(List<V> values) {
        return values.get(random.nextInt(values.size()));
    }
}
