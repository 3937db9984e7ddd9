package io.loam.model.policy;

import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;

/// A policy in the form connections are compared with. Compiled once, when the policy arrives.
public final class CompiledPolicy {
    private static final Verdict.Denied[] DENIES_NOTHING = {};

    private final AuthorizationPolicy source;
    private final String key;
    private final CompiledMatch[][][] rules;
    private final Verdict.Allowed allowed;
    private final Verdict.Denied[] denied;

    private CompiledPolicy(AuthorizationPolicy source) {
        this.source = source;
        this.key = source.key();
        this.rules = source.rules().stream()
                .map(Rule::clauses)
                .map(clauses -> clauses.stream()
                        .map(Clause::matches)
                        .map(matches -> matches.stream().map(CompiledMatch::of).toArray(CompiledMatch[]::new))
                        .toArray(CompiledMatch[][]::new))
                .toArray(CompiledMatch[][][]::new);
        this.allowed = new Verdict.Allowed(key);
        this.denied = source.action() == Action.DENY ? new Verdict.Denied[rules.length] : DENIES_NOTHING;
        for (int rule = 0; rule < denied.length; rule++) {
            denied[rule] = new Verdict.Denied(key, rule);
        }
    }

    public static CompiledPolicy of(AuthorizationPolicy policy) {
        return new CompiledPolicy(policy);
    }

    public AuthorizationPolicy source() {
        return source;
    }

    /// `namespace/name`.
    public String key() {
        return key;
    }

    int ruleCount() {
        return rules.length;
    }

    Verdict.Allowed allowed() {
        return allowed;
    }

    /// Of a DENY policy.
    Verdict.Denied denied(int rule) {
        return denied[rule];
    }

    /// Whether one rule matches. Allocates nothing.
    boolean matches(int rule, ConnectionAttributes connection) {
        return allClausesMatch(rules[rule], connection);
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
