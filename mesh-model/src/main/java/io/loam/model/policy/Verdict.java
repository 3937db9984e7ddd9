package io.loam.model.policy;

import java.util.List;

/// The answer of {@link Authorizer}. Instances are built with the snapshot, so that deciding allocates nothing.
public sealed interface Verdict {
    /// @param policy `namespace/name` of the ALLOW policy that matched, or "" where no ALLOW policy applies
    record Allowed(String policy) implements Verdict {}

    /// @param policy `namespace/name` of the DENY policy
    /// @param rule index of the matching rule in the policy, from 0
    record Denied(String policy, int rule) implements Verdict {}

    /// ALLOW policies apply and none matched.
    ///
    /// @param policies how many were tried
    /// @param first `namespace/name` of the first of them, three at most
    record NotMatched(int policies, List<String> first) implements Verdict {
        public NotMatched {
            first = List.copyOf(first);
        }
    }

    /// The workload names a policy that nobody has sent (yet), so what it would say is not known. A refusal, since
    /// leaving the policy out would open what it closes; but one that may pass by itself: new connections are worth
    /// a moment's wait, and open ones are no reason to cut.
    ///
    /// @param policy `namespace/name` of the first one that is missing
    record Undecided(String policy) implements Verdict {}

    default boolean allows() {
        return this instanceof Allowed;
    }
}
