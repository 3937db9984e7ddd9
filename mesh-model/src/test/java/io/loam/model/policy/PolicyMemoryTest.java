package io.loam.model.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.address.CidrBlock;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch.Exact;
import io.loam.model.policy.StringMatch.Prefix;
import io.loam.model.policy.StringMatch.Suffix;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// What policies keep of the heap, which in an agent is 48 MiB for everything.
final class PolicyMemoryTest {
    private static final int POLICIES = 10_000;

    @Test
    void tenThousandPoliciesOfTenRulesTakeLessThanTwentyMebibytes() {
        assertThat(mesh(8).policies()).hasSize(8); // loads what is loaded once
        long before = used();
        var mesh = mesh(POLICIES);
        long kept = used() - before;

        System.out.printf("%d policies of 10 rules keep %.1f MiB%n", POLICIES, kept / 1048576.0);
        assertThat(mesh.policies()).hasSize(POLICIES); // and it was reachable until here
        assertThat(kept).isLessThan(20L << 20);
    }

    private static MeshSnapshot mesh(int policies) {
        var mesh = MeshSnapshot.EMPTY;
        var delta = MeshDelta.builder();
        for (int i = 0; i < policies; i++) {
            delta.upsert(policy(i));
        }
        return mesh.apply(delta.build());
    }

    private static long used() {
        var memory = ManagementFactory.getMemoryMXBean();
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 4; i++) {
            memory.gc();
            least = Math.min(least, memory.getHeapMemoryUsage().getUsed());
        }
        return least;
    }

    /// Ten rules that name others in each policy, as in the benchmark of decisions.
    private static AuthorizationPolicy policy(int i) {
        var block = new CidrBlock(
                CidrBlock.parse("10." + (i >> 8) + "." + (i & 0xff) + ".0").address(), 24);
        var rules = List.of(
                rule(principal(new Exact("cluster.local/ns/shop/sa/client-" + i))),
                rule(principal(new Prefix("cluster.local/ns/team-" + i + "/"))),
                rule(principal(new Suffix("/sa/robot-" + i))),
                rule(match(
                        List.of(), List.of(), List.of(new ServiceAccountMatch("shop", "account-" + i)), List.of(), 0)),
                rule(match(List.of(new Exact("partner-" + i)), List.of(), List.of(), List.of(), 8080)),
                rule(match(List.of(new Prefix("tenant-" + i + "-")), List.of(), List.of(), List.of(), 0)),
                rule(match(List.of(), List.of(), List.of(), List.of(block), 0)),
                rule(match(List.of(), List.of(), List.of(), List.of(block), 443)),
                rule(
                        principal(new Exact("cluster.local/ns/other-" + i + "/sa/client")),
                        match(List.of(), List.of(), List.of(), List.of(), 8080)),
                rule(match(List.of(), List.of(), List.of(), List.of(), 10_000 + i)));
        return new AuthorizationPolicy(
                "policy-" + i, "shop", Scope.NAMESPACE, i % 5 == 0 ? Action.DENY : Action.ALLOW, rules, false);
    }

    private static Rule rule(Match... matches) {
        return new Rule(
                Stream.of(matches).map(match -> new Clause(List.of(match))).toList());
    }

    private static Match principal(StringMatch principal) {
        return match(List.of(), List.of(principal), List.of(), List.of(), 0);
    }

    private static Match match(
            List<StringMatch> namespaces,
            List<StringMatch> principals,
            List<ServiceAccountMatch> accounts,
            List<CidrBlock> sources,
            int port) {
        return new Match(
                namespaces,
                List.of(),
                principals,
                List.of(),
                accounts,
                List.of(),
                sources,
                List.of(),
                List.of(),
                List.of(),
                port == 0 ? Set.of() : Set.of(port),
                Set.of());
    }
}
