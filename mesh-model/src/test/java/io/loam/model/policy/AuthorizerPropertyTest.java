package io.loam.model.policy;

import static io.loam.model.Meshes.pod;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/// What a snapshot decides is what {@link NaiveAuthorizer} reads out of the reference, verdict for verdict and
/// name for name, whatever the policies, and whatever was changed before.
final class AuthorizerPropertyTest {
    @Property(tries = 400)
    void decidesAsTheReferenceSays(@ForAll long seed) {
        compare(seed);
    }

    /// Throws unless all agree.
    static void compare(long seed) {
        var random = new RandomPolicies(seed);
        var held = new LinkedHashMap<String, AuthorizationPolicy>();
        var mesh = MeshSnapshot.EMPTY;
        for (int step = 0; step < 3; step++) {
            var delta = MeshDelta.builder();
            if (!held.isEmpty()) {
                for (int i = random.below(5); i > 0; i--) {
                    var key = random.pick(List.copyOf(held.keySet()));
                    held.remove(key);
                    delta.removePolicy(key);
                    if (held.isEmpty()) {
                        break;
                    }
                }
            }
            for (int i = random.below(20); i > 0; i--) {
                var policy = random.policy(random.below(12));
                held.put(policy.key(), policy);
                delta.upsert(policy);
            }
            mesh = mesh.apply(delta.build());
            compare(random, List.copyOf(held.values()), mesh);
        }
    }

    private static void compare(RandomPolicies random, List<AuthorizationPolicy> held, MeshSnapshot mesh) {
        for (int w = 0; w < 3; w++) {
            var namespace = random.namespace();
            var named = new ArrayList<String>();
            for (int i = random.below(4); i > 0 && !held.isEmpty(); i--) {
                named.add(random.pick(held).key());
            }
            if (random.below(8) == 0) {
                named.add("shop/late");
            }
            var workload = pod("cart", "10.0.0.1")
                    .with(p -> {
                        p.namespace = namespace;
                        p.policies = named;
                    })
                    .build();
            var policies = mesh.policiesFor(workload);
            var naive = new NaiveAuthorizer(held, namespace, named);
            for (int c = 0; c < 12; c++) {
                var connection = random.connection();
                assertThat(Authorizer.decide(policies, connection))
                        .as("%s to %s of %s", connection, workload, held)
                        .isEqualTo(naive.decide(connection));
                assertThat(Authorizer.dryRun(policies, connection))
                        .as("%s to %s of %s", connection, workload, held)
                        .isEqualTo(naive.dryRun(connection));
            }
        }
    }
}
