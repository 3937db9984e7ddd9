package io.loam.model.policy;

import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;

/// A policy in the form connections are compared with. Compiled once, when the policy arrives.
public final class CompiledPolicy {
    private final AuthorizationPolicy source;
    private final CompiledMatch[][][] rules;
    private final Verdict.Allowed allowed;
    private final Verdict.Denied[] denied;

    private CompiledPolicy(AuthorizationPolicy source) {
        this.source = source;
        this.rules = source.rules().stream()
                .map(Rule::clauses)
                .map(clauses -> clauses.stream()
                        .map(Clause::matches)
                        .map(matches -> matches.stream().map(CompiledMatch::of).toArray(CompiledMatch[]::new))
                        .toArray(CompiledMatch[][]::new))
                .toArray(CompiledMatch[][][]::new);
        this.allowed = new Verdict.Allowed(source.key());
        this.denied = new Verdict.Denied[rules.length];
        for (int rule = 0; rule < denied.length; rule++) {
            denied[rule] = new Verdict.Denied(source.key(), rule);
        }
    }

    public static CompiledPolicy of(AuthorizationPolicy policy) {
        return new CompiledPolicy(policy);
    }

    public AuthorizationPolicy source() {
        return source;
    }

    Verdict.Allowed allowed() {
        return allowed;
    }

    Verdict.Denied denied(int rule) {
        return denied[rule];
    }

    /// Index of the first rule that matches, or -1. Allocates nothing.
    int firstMatchingRule(ConnectionAttributes connection) {
        for (int rule = 0; rule < rules.length; rule++) {
            if (allClausesMatch(rules[rule], connection)) {
                return rule;
            }
        }
        return -1;
    }

    private static boolean allClausesMatch(CompiledMatch[][] clauses, ConnectionAttributes connection) {
        for (var clause : clauses) {
            if (!anyMatches(clause, connection)) {
                return false;
            }
        }
        return true;
    }

    /// A clause without matches demands nothing; one whose matches have no fields is never true.
    private static boolean anyMatches(CompiledMatch[] matches, ConnectionAttributes connection) {
        for (var match : matches) {
            if (match.matches(connection)) {
                return true;
            }
        }
        return matches.length == 0;
    }
}
