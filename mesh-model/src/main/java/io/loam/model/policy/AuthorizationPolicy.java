package io.loam.model.policy;

import java.util.List;

/// Allows or denies connections to workloads (wire reference, section 7).
///
/// @param rules ORed; a policy without rules never matches
/// @param dryRun only reported, never enforced
public record AuthorizationPolicy(
        String name, String namespace, Scope scope, Action action, List<Rule> rules, boolean dryRun) {
    public AuthorizationPolicy {
        rules = List.copyOf(rules);
    }

    /// `namespace/name`, the resource name on the wire.
    public String key() {
        return namespace + "/" + name;
    }

    public enum Scope {
        GLOBAL,
        NAMESPACE,
        /// Applies to the workloads that name it.
        WORKLOAD_SELECTOR
    }

    public enum Action {
        ALLOW,
        DENY
    }

    /// @param clauses ANDed; a rule without clauses matches everything
    public record Rule(List<Clause> clauses) {
        public Rule {
            clauses = List.copyOf(clauses);
        }
    }

    /// @param matches ORed; a clause without matches matches everything
    public record Clause(List<Match> matches) {
        public Clause {
            matches = List.copyOf(matches);
        }
    }
}
