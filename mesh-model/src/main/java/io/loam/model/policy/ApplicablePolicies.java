package io.loam.model.policy;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The policies of one workload, sorted by what they do. Immutable and shared by all workloads with the same
/// policies. Cheap to make: the work is in the {@link PolicyLayer}s.
public final class ApplicablePolicies {
    public static final ApplicablePolicies NONE = of(List.of(), List.of());

    /// A refusal names this many of the policies that did not match.
    private static final int MOST_NAMED = 3;

    private final PolicyLayer[] layers;
    private final boolean dryRun;
    private final Verdict.@Nullable NotMatched notMatched;
    private final List<String> unknown;
    private final Verdict.@Nullable Undecided undecided;

    private ApplicablePolicies(List<PolicyLayer> layers, List<String> unknown) {
        this.layers = layers.toArray(PolicyLayer[]::new);
        this.dryRun = layers.stream()
                .anyMatch(
                        layer -> layer.dryRunDeny().size() + layer.dryRunAllow().size() > 0);
        int allowing = layers.stream().mapToInt(layer -> layer.allow().size()).sum();
        this.notMatched = allowing == 0
                ? null
                : new Verdict.NotMatched(
                        allowing,
                        layers.stream()
                                .flatMap(layer -> layer.allow().inOrder().stream())
                                .limit(MOST_NAMED)
                                .map(CompiledPolicy::key)
                                .toList());
        this.unknown = List.copyOf(unknown);
        this.undecided = unknown.isEmpty() ? null : new Verdict.Undecided(unknown.getFirst());
    }

    /// @param policies each policy once, in any order: verdicts name the first that matches in the order of the
    ///     keys
    /// @param unknown `namespace/name` of policies that the workload names and nobody has sent (yet)
    public static ApplicablePolicies of(Collection<CompiledPolicy> policies, List<String> unknown) {
        return ofLayers(List.of(PolicyLayer.of(policies)), unknown);
    }

    /// @param layers that have no policy in common; verdicts name the first that matches in the first layer that has
    /// one
    /// @param unknown see {@link #of}
    public static ApplicablePolicies ofLayers(List<PolicyLayer> layers, List<String> unknown) {
        return new ApplicablePolicies(layers, unknown);
    }

    /// Policies that the workload names and that are not known. Where ztunnel skips them with a warning (wire
    /// reference, 7.1), we refuse: absence never widens access (hazards, rules 1 and 2).
    public List<String> unknown() {
        return unknown;
    }

    /// Whether {@link Authorizer#dryRun} can have anything to say.
    public boolean hasDryRun() {
        return dryRun;
    }

    /// Everything that applies, for dumps.
    public List<AuthorizationPolicy> all() {
        return Arrays.stream(layers)
                .flatMap(PolicyLayer::all)
                .map(CompiledPolicy::source)
                .toList();
    }

    PolicyLayer[] layers() {
        return layers;
    }

    /// Null where no ALLOW policy is enforced.
    Verdict.@Nullable NotMatched notMatched() {
        return notMatched;
    }

    /// Null where everything that is named is known.
    Verdict.@Nullable Undecided undecided() {
        return undecided;
    }
}
