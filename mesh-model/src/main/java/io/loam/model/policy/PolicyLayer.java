package io.loam.model.policy;

import io.loam.model.policy.AuthorizationPolicy.Action;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/// Policies that always apply together: those of the whole mesh, of one namespace, or those that workloads name.
/// Immutable, with everything built that decisions look up; making one takes time, so not on an event loop if it may
/// hold many. A workload's policies are a few layers ({@link ApplicablePolicies}), which it shares with others.
public final class PolicyLayer {
    public static final PolicyLayer EMPTY = new PolicyLayer(List.of());

    private final PolicyTable deny;
    private final PolicyTable allow;
    private final PolicyTable dryRunDeny;
    private final PolicyTable dryRunAllow;

    private PolicyLayer(List<CompiledPolicy> sorted) {
        this.deny = table(sorted, Action.DENY, false);
        this.allow = table(sorted, Action.ALLOW, false);
        this.dryRunDeny = table(sorted, Action.DENY, true);
        this.dryRunAllow = table(sorted, Action.ALLOW, true);
    }

    /// @param policies each policy once, in any order: they are asked in the order of their keys
    public static PolicyLayer of(Collection<CompiledPolicy> policies) {
        return policies.isEmpty()
                ? EMPTY
                : new PolicyLayer(policies.stream()
                        .sorted(Comparator.comparing(CompiledPolicy::key))
                        .toList());
    }

    private static PolicyTable table(List<CompiledPolicy> policies, Action action, boolean dryRun) {
        return PolicyTable.of(policies.stream()
                .filter(policy -> policy.action() == action && policy.dryRun() == dryRun)
                .toList());
    }

    Stream<CompiledPolicy> all() {
        return Stream.of(deny, allow, dryRunDeny, dryRunAllow).flatMap(table -> table.inOrder().stream());
    }

    PolicyTable deny() {
        return deny;
    }

    PolicyTable allow() {
        return allow;
    }

    PolicyTable dryRunDeny() {
        return dryRunDeny;
    }

    PolicyTable dryRunAllow() {
        return dryRunAllow;
    }
}
