package io.loam.model.policy;

import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// What every policy of a workload says about one connection, for people. Each rule is asked, one by one, by the code
/// that {@link Authorizer} asks it by; unlike there nothing ends the search, so this is not for the data path.
public final class PolicyFindings {
    /// @param rules indexes of the rules that match, from 0
    public record Finding(AuthorizationPolicy policy, List<Integer> rules) {
        public Finding {
            rules = List.copyOf(rules);
        }
    }

    private PolicyFindings() {}

    /// @return one per policy that applies, dry-run ones included: in each layer DENY first, as they are asked
    public static List<Finding> of(ApplicablePolicies policies, ConnectionAttributes connection) {
        return Arrays.stream(policies.layers())
                .flatMap(PolicyLayer::all)
                .map(policy -> new Finding(policy.source(), matching(policy, connection)))
                .toList();
    }

    /// Whether one match holds for a connection.
    public static boolean holds(Match match, ConnectionAttributes connection) {
        var rule = new Rule(List.of(new Clause(List.of(match))));
        var alone = new AuthorizationPolicy("alone", "", Scope.GLOBAL, Action.ALLOW, List.of(rule), false);
        return CompiledPolicy.of(alone).matches(0, connection);
    }

    private static List<Integer> matching(CompiledPolicy policy, ConnectionAttributes connection) {
        return IntStream.range(0, policy.ruleCount())
                .filter(rule -> policy.matches(rule, connection))
                .boxed()
                .toList();
    }
}
