package io.loam.model.mesh;

import static io.loam.model.Meshes.address;
import static io.loam.model.Meshes.key;
import static io.loam.model.Meshes.mesh;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.port;
import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.model.address.NamespacedHostname;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.Service;
import io.loam.model.service.Service.Visibility;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

final class MeshSnapshotTest {
    @Test
    void neverFindsAHostNetworkWorkloadByAddress() {
        var mesh = mesh(pod("agent-1", "10.0.0.1").with(w -> w.networkMode = NetworkMode.HOST_NETWORK));
        assertThat(mesh.workloadByAddress(address("10.0.0.1"))).isNull();
        assertThat(mesh.workload("Kubernetes//Pod/shop/agent-1")).isNotNull();
    }

    @Test
    void prefersAPodThenHboneAmongTheClaimantsOfAnAddress() {
        var entry = pod("a-entry", "10.0.0.1").with(w -> w.uid = "c/networking.istio.io/WorkloadEntry/shop/a");
        var plain = pod("b-plain", "10.0.0.1").with(w -> w.tunnel = TunnelProtocol.NONE);
        var hbone = pod("c-hbone", "10.0.0.1");
        assertThat(mesh(entry, plain).workloadByAddress(address("10.0.0.1"))).isEqualTo(plain.build());
        assertThat(mesh(entry, plain, hbone).workloadByAddress(address("10.0.0.1")))
                .isEqualTo(hbone.build());
    }

    @Test
    void findsTheRemainingClaimantWhenTheBestLeaves() {
        var old = pod("old-1", "10.0.0.1").with(w -> w.tunnel = TunnelProtocol.NONE);
        var mesh = mesh(old, pod("new-1", "10.0.0.1"))
                .apply(MeshDelta.builder()
                        .removeAddress("Kubernetes//Pod/shop/new-1")
                        .build());
        assertThat(mesh.workloadByAddress(address("10.0.0.1"))).isEqualTo(old.build());
    }

    @Test
    void findsTheLocalWorkloadByNameOnTheNodeThatAsks() {
        var here = pod("db-0", "10.0.0.1").with(w -> w.node = "here");
        var there = pod("db-0", "10.1.0.1").with(w -> {
            w.node = "there";
            w.uid = "a-other//Pod/shop/db-0";
        });
        var mesh = mesh(here, there);
        assertThat(mesh.localWorkload("db-0", "shop", "db", "here")).isEqualTo(here.build());
        assertThat(mesh.localWorkload("db-0", "shop", "db", "there")).isEqualTo(there.build());
        assertThat(mesh.localWorkload("db-0", "shop", "other")).isNull();
    }

    @Test
    void ranksServicesOfOneAddressByNamespaceThenCanonical() {
        var canonical = service("a", "10.96.0.1").with(s -> s.namespace = "z");
        var entry = service("b", "10.96.0.1").with(s -> {
            s.namespace = "b";
            s.canonical = false;
        });
        var mesh = mesh(canonical, entry);
        assertThat(mesh.findService(address("10.96.0.1"), "b")).isEqualTo(entry.build());
        assertThat(mesh.findService(address("10.96.0.1"), "other")).isEqualTo(canonical.build());
        assertThat(mesh.servicesByAddress(address("10.96.0.1"))).hasSize(2);
    }

    @Test
    void fallsThroughToBlocksWhenTheExactAddressIsNotVisible() {
        var hidden = service("hidden", "10.96.0.1").with(s -> s.visibility = Visibility.NAMESPACE);
        var block = service("block", "10.96.0.0/16").with(s -> s.namespace = "other");
        var mesh = mesh(hidden, block);
        assertThat(mesh.findService(address("10.96.0.1"), "shop")).isEqualTo(hidden.build());
        assertThat(mesh.findService(address("10.96.0.1"), "elsewhere")).isEqualTo(block.build());
        assertThat(mesh.findService(address("10.97.0.1"), "elsewhere")).isNull();
    }

    @Test
    void ranksBlocksByNamespaceThenPrefixThenCanonical() {
        var own = service("own", "10.0.0.0/8");
        var narrow = service("narrow", "10.96.0.0/16").with(s -> {
            s.namespace = "b";
            s.canonical = false;
        });
        var wide = service("wide", "10.0.0.0/9").with(s -> s.namespace = "a");
        var narrowCanonical = service("narrow", "10.96.0.0/16").with(s -> s.namespace = "c");
        assertThat(mesh(own, narrow, wide).findService(address("10.96.0.1"), "shop"))
                .isEqualTo(own.build());
        assertThat(mesh(own, narrow, wide).findService(address("10.96.0.1"), "x"))
                .isEqualTo(narrow.build());
        assertThat(mesh(narrow, narrowCanonical).findService(address("10.96.0.1"), "x"))
                .isEqualTo(narrowCanonical.build());
    }

    @Test
    void ranksServicesOfOneHostname() {
        var kube = service("a").with(s -> s.hostname = "api.example.com");
        var entry = service("b").with(s -> {
            s.namespace = "team";
            s.hostname = "api.example.com";
            s.canonical = false;
        });
        var mesh = mesh(kube, entry);
        assertThat(mesh.findServiceByHostname("api.example.com", "team")).isEqualTo(entry.build());
        assertThat(mesh.findServiceByHostname("api.example.com", "x")).isEqualTo(kube.build());
    }

    @Test
    void keepsEndpointsThatArriveBeforeTheirService() {
        var staged = mesh(pod("cart-1", "10.0.0.1").of(key("shop", "cart"), port(80, 8080)));
        assertThat(staged.endpoints(key("shop", "cart")).isEmpty()).isTrue();
        var complete = staged.apply(
                MeshDelta.builder().upsert(service("cart", "10.96.0.1").build()).build());
        assertThat(complete.endpoints(key("shop", "cart")).values())
                .extracting(endpoint -> endpoint.workload().name())
                .containsExactly("cart-1");
    }

    @Test
    void leavesOutUnhealthyEndpointsUnlessTheServiceWantsThem() {
        var sick = pod("cart-1", "10.0.0.1").of(key("shop", "cart")).with(w -> w.status = Status.UNHEALTHY);
        var well = pod("cart-2", "10.0.0.2").of(key("shop", "cart"));
        var all = new LoadBalancing(List.of(), Mode.UNSPECIFIED, HealthPolicy.ALLOW_ALL);
        assertThat(mesh(sick, well, service("cart"))
                        .endpoints(key("shop", "cart"))
                        .size())
                .isEqualTo(1);
        assertThat(mesh(sick, well, service("cart").with(s -> s.balancing = all))
                        .endpoints(key("shop", "cart"))
                        .size())
                .isEqualTo(2);
    }

    @Test
    void keepsWhatIsBothRemovedAndUpserted() {
        var mesh = mesh(service("cart", "10.96.0.1"));
        var next = mesh.apply(MeshDelta.builder()
                .upsert(service("cart", "10.96.0.2").build())
                .removeAddress(key("shop", "cart").toString())
                .build());
        assertThat(next.findService(address("10.96.0.1"), "shop")).isNull();
        assertThat(next.findService(address("10.96.0.2"), "shop")).isNotNull();
    }

    @Test
    void appliesGlobalNamespaceAndNamedPolicies() {
        var global = policy("global", "loam-system", Scope.GLOBAL);
        var ofNamespace = policy("ns", "shop", Scope.NAMESPACE);
        var other = policy("other", "bank", Scope.NAMESPACE);
        var named = policy("named", "shop", Scope.WORKLOAD_SELECTOR);
        var unnamed = policy("unnamed", "shop", Scope.WORKLOAD_SELECTOR);
        var workload = pod("cart-1")
                .with(w -> w.policies = List.of("shop/named", "shop/late"))
                .build();
        var mesh = mesh(global, ofNamespace, other, named, unnamed);
        var applicable = mesh.policiesFor(workload);
        assertThat(applicable.all()).containsExactlyInAnyOrder(global, ofNamespace, named);
        assertThat(applicable.unknown()).containsExactly("shop/late");
        assertThat(mesh.policiesFor(workload)).isSameAs(applicable);
    }

    /// A list of thousands must not be compared name by name for each connection, nor its answer outlive its list.
    @Test
    void answersAtOnceForAWorkloadThatNamesManyPolicies() {
        var names = IntStream.range(0, 40).mapToObj(i -> "shop/p" + i).toList();
        var delta = MeshDelta.builder();
        names.forEach(name -> delta.upsert(policy(name.substring(5), "shop", Scope.WORKLOAD_SELECTOR)));
        var mesh = MeshSnapshot.EMPTY.apply(delta.build());
        var many = pod("cart", "10.0.0.1").with(w -> w.policies = names).build();
        var another = pod("pay", "10.0.0.2").with(w -> w.policies = names).build();
        var fewer = pod("cart", "10.0.0.1")
                .with(w -> w.policies = names.subList(0, 30))
                .build();

        assertThat(mesh.policiesFor(many).all()).hasSize(40);
        assertThat(mesh.policiesFor(many)).isSameAs(mesh.policiesFor(many)).isSameAs(mesh.policiesFor(another));
        assertThat(mesh.policiesFor(fewer).all()).hasSize(30);
        assertThat(mesh.policiesFor(many).all()).hasSize(40);
    }

    /// A policy that is named and applies anyway is asked once: two of them would be counted as two.
    @Test
    void appliesOnceWhatIsNamedAndAppliesAnyway() {
        var mesh = mesh(
                policy("global", "loam-system", Scope.GLOBAL),
                policy("ns", "shop", Scope.NAMESPACE),
                policy("other", "bank", Scope.NAMESPACE));
        var workload = pod("cart", "10.0.0.1")
                .with(w -> w.policies = List.of("loam-system/global", "shop/ns", "bank/other"))
                .build();

        assertThat(mesh.policiesFor(workload).all())
                .extracting(AuthorizationPolicy::name)
                .containsExactly("global", "ns", "other");
    }

    /// Where nothing changed nothing is built again; 10,000 policies of one namespace cost no other anything.
    @Test
    void keepsPoliciesThatDidNotChange() {
        var mesh = mesh(policy("p", "bank", Scope.NAMESPACE), policy("q", "shop", Scope.NAMESPACE));

        var same = mesh.apply(MeshDelta.builder()
                .upsert(policy("p", "bank", Scope.NAMESPACE))
                .removePolicy("shop/nobody")
                .build());

        assertThat(same.policyVersion()).isEqualTo(mesh.policyVersion());
        assertThat(same.policyIndex()).isSameAs(mesh.policyIndex());
    }

    @Test
    void preparesASnapshotBeforeItIsCurrent() {
        var view = new MeshView();
        var heard = new ArrayList<String>();
        view.addListener(mesh -> heard.add("heard " + view.current().version()));
        view.addPreparation(mesh -> heard.add("prepared " + view.current().version()));
        view.addPreparation(mesh -> {
            throw new IllegalStateException("bug");
        });

        assertThatThrownBy(() -> view.publish(mesh(pod("cart", "10.0.0.1")))).hasMessage("bug");

        assertThat(heard).containsExactly("prepared 0", "heard 1");
    }

    /// Whoever fails first is thrown, the others are in it; an Error hides the snapshot from nobody either.
    @Test
    void tellsEverybodyOfASnapshotAndNamesEveryBug() {
        var view = new MeshView();
        var heard = new ArrayList<Long>();
        view.addPreparation(_ -> {
            throw new IllegalStateException("first");
        });
        view.addListener(_ -> {
            throw new NoClassDefFoundError("second");
        });
        view.addListener(_ -> {
            throw new IllegalStateException("third");
        });
        view.addListener(mesh -> heard.add(mesh.version()));

        assertThatThrownBy(() -> view.publish(mesh(pod("cart", "10.0.0.1"))))
                .hasMessage("first")
                .satisfies(bug -> assertThat(bug.getSuppressed())
                        .extracting(Throwable::getMessage)
                        .containsExactly("second", "third"));

        assertThat(heard).containsExactly(1L);
        assertThat(view.current().version()).isEqualTo(1);
    }

    @Test
    void countsWhenAddressesMayHaveBecomeNobodys() {
        var mesh = mesh(pod("cart-1", "10.0.0.1"))
                .apply(MeshDelta.builder()
                        .upsert(service("cart", "10.96.0.1").build())
                        .build());
        var changes = MeshDelta.builder()
                .upsert(pod("cart-1", "10.0.0.1")
                        .with(w -> w.status = Workload.Status.UNHEALTHY)
                        .build())
                .upsert(pod("cart-2", "10.0.0.2").build())
                .upsert(service("cart", "10.96.0.1")
                        .with(s -> s.canonical = false)
                        .build())
                .removeWorkload("nobody")
                .build();
        assertThat(mesh.apply(changes).withdrawals()).isEqualTo(mesh.withdrawals());

        for (var withdrawal : List.of(
                MeshDelta.builder().removeWorkload(pod("cart-1").build().uid()),
                MeshDelta.builder().upsert(pod("cart-1", "10.0.0.9").build()),
                MeshDelta.builder().removeService(service("cart").build().key()),
                MeshDelta.builder().upsert(service("cart", "10.96.0.2").build()),
                MeshDelta.builder()
                        .upsert(service("cart", "10.96.0.1")
                                .with(s -> s.visibility = Service.Visibility.NAMESPACE)
                                .build()))) {
            assertThat(mesh.apply(withdrawal.build()).withdrawals()).isEqualTo(mesh.withdrawals() + 1);
        }
    }

    @Test
    void movesAPolicyWhoseScopeChanges() {
        var workload = pod("cart-1").build();
        var mesh = mesh(policy("p", "bank", Scope.GLOBAL));
        var next = mesh.apply(
                MeshDelta.builder().upsert(policy("p", "bank", Scope.NAMESPACE)).build());
        assertThat(mesh.policiesFor(workload).all()).hasSize(1);
        assertThat(next.policiesFor(workload).all()).isEmpty();
        assertThat(next.policyVersion()).isEqualTo(mesh.policyVersion() + 1);
    }

    @Test
    void keepsThePolicyVersionWhenOnlyWorkloadsChange() {
        var mesh = mesh(policy("p", "shop", Scope.GLOBAL));
        var next = mesh.apply(
                MeshDelta.builder().upsert(pod("cart-1", "10.0.0.1").build()).build());
        assertThat(next.policyVersion()).isEqualTo(mesh.policyVersion());
        assertThat(next.version()).isEqualTo(mesh.version() + 1);
    }

    @Test
    void publishesOnlyForwardAndTellsListeners() {
        var view = new MeshView();
        var heard = new ArrayList<MeshSnapshot>();
        view.addListener(heard::add);
        var next = mesh(service("cart"));
        view.publish(next);
        assertThat(heard).containsExactly(next);
        assertThat(view.current()).isSameAs(next);
        assertThatThrownBy(() -> view.publish(next))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("expected: > 1");
    }

    @Test
    void knowsTheIdentitiesAServiceAccepts() {
        var mesh = mesh(service("cart")
                .with(s -> s.subjectAltNames =
                        List.of("spiffe://td/ns/a/sa/b", "https://example.com", "spiffe://td/other")));
        assertThat(mesh.acceptedIdentities(key("shop", "cart"))).containsExactly(new SpiffeId("td", "a", "b"));
    }

    /// Whatever the deltas, the indexes are those of a mesh that starts with the final contents.
    @Property(tries = 300)
    void isTheSameAfterDeltasAsFromScratch(@ForAll @Size(max = 60) List<@IntRange(min = 0) Integer> seeds) {
        var workloads = new HashMap<String, Workload>();
        var services = new HashMap<NamespacedHostname, Service>();
        var policies = new HashMap<String, AuthorizationPolicy>();
        var mesh = MeshSnapshot.EMPTY;
        for (var seed : seeds) {
            int name = (seed >>> 8) % 6;
            var delta = MeshDelta.builder();
            switch (seed % 7) {
                case 0, 1 -> {
                    var workload = randomWorkload(name, seed >>> 11);
                    workloads.put(workload.uid(), workload);
                    delta.upsert(workload);
                }
                case 2, 3 -> {
                    var service = randomService(name, seed >>> 11);
                    services.put(service.key(), service);
                    delta.upsert(service);
                }
                case 4 -> {
                    var scope = List.of(Scope.GLOBAL, Scope.NAMESPACE, Scope.WORKLOAD_SELECTOR)
                            .get((seed >>> 11) % 3);
                    var policy = policy("p" + name, "shop", scope);
                    policies.put(policy.key(), policy);
                    delta.upsert(policy);
                }
                case 5 -> {
                    var uid = randomWorkload(name, 0).uid();
                    workloads.remove(uid);
                    delta.removeAddress(uid);
                }
                default -> {
                    var key = randomService(name, 0).key();
                    services.remove(key);
                    policies.remove("shop/p" + name);
                    delta.removeAddress(key.toString()).removePolicy("shop/p" + name);
                }
            }
            mesh = mesh.apply(delta.build());
        }
        var scratch = MeshSnapshot.EMPTY.apply(MeshDelta.of(
                List.copyOf(workloads.values()), List.copyOf(services.values()), List.copyOf(policies.values())));
        assertThat(mesh.indexes()).isEqualTo(scratch.indexes());
    }

    private static Workload randomWorkload(int name, int bits) {
        return pod("w-" + name, "10.0.0." + bits % 3, "fd00::" + bits % 5)
                .of(key("shop", "s" + bits % 4), port(80, 1000 + bits % 2))
                .with(w -> {
                    w.status = bits % 3 == 0 ? Status.UNHEALTHY : Status.HEALTHY;
                    w.networkMode = bits % 5 == 0 ? NetworkMode.HOST_NETWORK : NetworkMode.STANDARD;
                })
                .build();
    }

    private static Service randomService(int name, int bits) {
        return service("s" + name, "10.96.0." + bits % 3, "10.96.0." + bits % 2, "10.97.0.0/" + (16 + bits % 3))
                .with(s -> {
                    s.canonical = bits % 2 == 0;
                    s.subjectAltNames = bits % 3 == 0 ? List.of("spiffe://td/ns/a/sa/b" + bits % 4) : List.of();
                })
                .build();
    }

    private static AuthorizationPolicy policy(String name, String namespace, Scope scope) {
        return new AuthorizationPolicy(name, namespace, scope, Action.DENY, List.of(), false);
    }
}
