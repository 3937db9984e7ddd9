package io.loam.model.policy;

import io.loam.model.policy.AuthorizationPolicy.Action;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The policies of one workload, sorted by what they do. Immutable and shared by all workloads with the same
/// policies.
public final class ApplicablePolicies {
    public static final ApplicablePolicies NONE = of(List.of(), List.of());

    private final PolicyTable deny;
    private final PolicyTable allow;
    private final CompiledPolicy[] dryRunDeny;
    private final CompiledPolicy[] dryRunAllow;
    private final Verdict.NotMatched notMatched;
    private final List<String> unknown;
    private final Verdict.@Nullable Undecided undecided;

    private ApplicablePolicies(List<CompiledPolicy> policies, List<String> unknown) {
        this.deny = PolicyTable.of(select(policies, Action.DENY, false));
        this.allow = PolicyTable.of(select(policies, Action.ALLOW, false));
        this.dryRunDeny = select(policies, Action.DENY, true).toArray(CompiledPolicy[]::new);
        this.dryRunAllow = select(policies, Action.ALLOW, true).toArray(CompiledPolicy[]::new);
        this.notMatched = new Verdict.NotMatched(allow.size());
        this.unknown = List.copyOf(unknown);
        this.undecided = unknown.isEmpty() ? null : new Verdict.Undecided(unknown.getFirst());
    }

    /// @param policies each policy once, in any order: verdicts name the first that matches in the order of the
    ///     keys
    /// @param unknown `namespace/name` of policies that the workload names and nobody has sent (yet)
    public static ApplicablePolicies of(Collection<CompiledPolicy> policies, List<String> unknown) {
        var sorted = policies.stream()
                .sorted(Comparator.comparing(policy -> policy.source().key()))
                .toList();
        return new ApplicablePolicies(sorted, unknown);
    }

    private static List<CompiledPolicy> select(List<CompiledPolicy> policies, Action action, boolean dryRun) {
        return policies.stream()
                .filter(policy ->
                        policy.source().action() == action && policy.source().dryRun() == dryRun)
                .toList();
    }

    /// Policies that the workload names and that are not known. Where ztunnel skips them with a warning (wire
    /// reference, 7.1), we refuse: absence never widens access (hazards, rules 1 and 2).
    public List<String> unknown() {
        return unknown;
    }

    /// Whether {@link Authorizer#dryRun} can have anything to say.
    public boolean hasDryRun() {
        return dryRunDeny.length + dryRunAllow.length > 0;
    }

    /// Everything that applies, for dumps.
    public List<AuthorizationPolicy> all() {
        return Stream.of(deny.inOrder(), allow.inOrder(), List.of(dryRunDeny), List.of(dryRunAllow))
                .flatMap(List::stream)
                .map(CompiledPolicy::source)
                .toList();
    }

    PolicyTable deny() {
        return deny;
    }

    PolicyTable allow() {
        return allow;
    }

    CompiledPolicy[] dryRunDeny() {
        return dryRunDeny;
    }

    CompiledPolicy[] dryRunAllow() {
        return dryRunAllow;
    }

    Verdict.NotMatched notMatched() {
        return notMatched;
    }

    /// Null where everything that is named is known.
    Verdict.@Nullable Undecided undecided() {
        return undecided;
    }
}
