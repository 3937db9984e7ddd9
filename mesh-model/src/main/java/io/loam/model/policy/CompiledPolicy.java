package io.loam.model.policy;

import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A policy in the form that connections are compared with, which is also the only one that is kept: a tenth of the
/// objects it was made of ({@link EncodedRules}). Compiled once, when the policy arrives.
public final class CompiledPolicy {
    private static final Verdict.Denied[] DENIES_NOTHING = {};

    private final String key;
    private final int namespaceLength; // the key begins with the namespace
    private final Scope scope;
    private final Action action;
    private final boolean dryRun;
    private final EncodedRules rules;
    private final Verdict.Allowed allowed;
    private final Verdict.Denied[] denied;

    private CompiledPolicy(AuthorizationPolicy source) {
        this.key = source.key();
        this.namespaceLength = source.namespace().length();
        this.scope = source.scope();
        this.action = source.action();
        this.dryRun = source.dryRun();
        this.rules = EncodedRules.of(source.rules());
        this.allowed = new Verdict.Allowed(key);
        this.denied = action == Action.DENY ? new Verdict.Denied[rules.size()] : DENIES_NOTHING;
        for (int rule = 0; rule < denied.length; rule++) {
            denied[rule] = new Verdict.Denied(key, rule);
        }
    }

    public static CompiledPolicy of(AuthorizationPolicy policy) {
        return new CompiledPolicy(policy);
    }

    /// The policy as it arrived, made anew each time: for dumps.
    public AuthorizationPolicy source() {
        return new AuthorizationPolicy(
                key.substring(namespaceLength + 1), namespace(), scope, action, rules.decoded(), dryRun);
    }

    /// `namespace/name`.
    public String key() {
        return key;
    }

    public String namespace() {
        return key.substring(0, namespaceLength);
    }

    public Scope scope() {
        return scope;
    }

    Action action() {
        return action;
    }

    boolean dryRun() {
        return dryRun;
    }

    int ruleCount() {
        return rules.size();
    }

    /// Made anew each time.
    List<Rule> rules() {
        return rules.decoded();
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
        return rules.matches(rule, connection);
    }

    /// Whether both were compiled from equal policies.
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof CompiledPolicy policy
                && key.equals(policy.key)
                && namespaceLength == policy.namespaceLength
                && scope == policy.scope
                && action == policy.action
                && dryRun == policy.dryRun
                && rules.sameAs(policy.rules);
    }

    @Override
    public int hashCode() {
        return key.hashCode();
    }

    @Override
    public String toString() {
        return source().toString();
    }
}
