package io.loam.model.policy;

/// What a dry-run policy would have done to a connection. For logs and counters only.
public sealed interface DryRunFinding {
    /// @param policy `namespace/name` of the DENY policy
    /// @param rule index of the matching rule in the policy, from 0
    record WouldDeny(String policy, int rule) implements DryRunFinding {}

    /// @param policy `namespace/name` of the ALLOW policy
    /// @param rule index of the matching rule in the policy, from 0
    record WouldAllow(String policy, int rule) implements DryRunFinding {}

    /// Dry-run ALLOW policies apply and none matched: enforced, they would turn the connection away.
    ///
    /// @param policies how many were tried
    record NoneWouldAllow(int policies) implements DryRunFinding {}
}
