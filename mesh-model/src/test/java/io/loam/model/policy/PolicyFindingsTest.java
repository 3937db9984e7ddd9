package io.loam.model.policy;

import static io.loam.model.Meshes.ip;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.PolicyFindings.Finding;
import io.loam.model.policy.StringMatch.Exact;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What is said about policies beside the verdict: each of them, with all rules that match.
final class PolicyFindingsTest {
    private static final ConnectionAttributes CONNECTION =
            new ConnectionAttributes(new SpiffeId("td", "shop", "cart"), ip("10.1.2.3"), ip("10.0.0.7"), 8080);

    private static final AuthorizationPolicy ALLOW = policy("b", Action.ALLOW, false, 8080, 80, 8080);
    private static final AuthorizationPolicy DENY = policy("c", Action.DENY, false, 80);
    private static final AuthorizationPolicy TRIED = policy("a", Action.DENY, true, 8080);
    private static final AuthorizationPolicy OTHER = policy("d", Action.ALLOW, true);

    private static final ApplicablePolicies ALL = applicable(ALLOW, DENY, TRIED, OTHER);

    private static ApplicablePolicies applicable(AuthorizationPolicy... policies) {
        return ApplicablePolicies.of(Stream.of(policies).map(CompiledPolicy::of).toList(), List.of("shop/missing"));
    }

    private static AuthorizationPolicy policy(String name, Action action, boolean dryRun, int... ports) {
        var rules = Arrays.stream(ports)
                .mapToObj(port -> new Rule(List.of(new Clause(List.of(port(port))))))
                .toList();
        return new AuthorizationPolicy(name, "shop", Scope.NAMESPACE, action, rules, dryRun);
    }

    private static Match port(int port) {
        return new Match(
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                Set.of(port),
                Set.of());
    }

    private static Match namespace(String name) {
        return new Match(
                List.of(new Exact(name)),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                Set.of(),
                Set.of());
    }

    @Test
    void namesEveryPolicyAndEveryRuleThatMatchesInTheOrderOfAsking() {
        assertThat(PolicyFindings.of(ALL, CONNECTION))
                .containsExactly(
                        new Finding(DENY, List.of()),
                        new Finding(ALLOW, List.of(0, 2)),
                        new Finding(TRIED, List.of(0)),
                        new Finding(OTHER, List.of()));
    }

    @Test
    void saysWhetherOneMatchHolds() {
        assertThat(PolicyFindings.holds(port(8080), CONNECTION)).isTrue();
        assertThat(PolicyFindings.holds(port(80), CONNECTION)).isFalse();
        assertThat(PolicyFindings.holds(namespace("shop"), CONNECTION)).isTrue();
        assertThat(PolicyFindings.holds(namespace("other"), CONNECTION)).isFalse();
        assertThat(PolicyFindings.holds(Match.NOTHING, CONNECTION)).isFalse();
    }

    @Test
    void whatAppliesCanBeDumpedAsItArrived() {
        assertThat(ALL.all()).containsExactly(DENY, ALLOW, TRIED, OTHER);
        assertThat(ALL.unknown()).containsExactly("shop/missing");
        assertThat(CompiledPolicy.of(ALLOW)).hasToString(ALLOW.toString());
    }

    @Test
    void onlyDryRunPoliciesHaveDryRunFindings() {
        assertThat(applicable(ALLOW, DENY).hasDryRun()).isFalse();
        assertThat(applicable(ALLOW, TRIED).hasDryRun()).isTrue();
        assertThat(applicable(OTHER).hasDryRun()).isTrue();
    }

    static Stream<AuthorizationPolicy> others() {
        return Stream.of(
                new AuthorizationPolicy("x", "shop", ALLOW.scope(), ALLOW.action(), ALLOW.rules(), false),
                new AuthorizationPolicy("b", "shop", Scope.GLOBAL, ALLOW.action(), ALLOW.rules(), false),
                new AuthorizationPolicy("b", "shop", ALLOW.scope(), Action.DENY, ALLOW.rules(), false),
                new AuthorizationPolicy("b", "shop", ALLOW.scope(), ALLOW.action(), ALLOW.rules(), true),
                new AuthorizationPolicy("b", "shop", ALLOW.scope(), ALLOW.action(), DENY.rules(), false));
    }

    /// A policy that changed in one thing only must not be taken for the one before.
    @ParameterizedTest
    @MethodSource("others")
    void differsFromWhatDiffersInOneThing(AuthorizationPolicy other) {
        var policy = CompiledPolicy.of(ALLOW);

        assertThat(CompiledPolicy.of(other)).isNotEqualTo(policy);
        assertThat(CompiledPolicy.of(policy.source())).isEqualTo(policy).hasSameHashCodeAs(policy);
    }

    /// The same key, cut at another place: `a/b` + `c` and `a` + `b/c`.
    @Test
    void differsFromAnotherNamespaceOfTheSameKey() {
        var one = new AuthorizationPolicy("c", "a/b", Scope.NAMESPACE, Action.ALLOW, List.of(), false);
        var other = new AuthorizationPolicy("b/c", "a", Scope.NAMESPACE, Action.ALLOW, List.of(), false);

        assertThat(one.key()).isEqualTo(other.key());
        assertThat(CompiledPolicy.of(one)).isNotEqualTo(CompiledPolicy.of(other));
        assertThat(CompiledPolicy.of(one).hashCode()).isEqualTo(one.key().hashCode());
    }
}
