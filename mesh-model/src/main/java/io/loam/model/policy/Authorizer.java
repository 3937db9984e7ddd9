package io.loam.model.policy;

import java.util.ArrayList;
import java.util.List;

/// Decides whether a connection may reach a workload (wire reference, 7.2): a DENY that matches wins, then any
/// ALLOW that matches; a workload without ALLOW policies accepts everyone. Source workloads are never asked.
public final class Authorizer {
    private static final Verdict.Allowed NO_ALLOW_POLICY = new Verdict.Allowed("");

    private Authorizer() {}

    /// Enforced policies only. Allocates nothing; may be called from any thread.
    public static Verdict decide(ApplicablePolicies policies, ConnectionAttributes connection) {
        var denying = policies.deny().firstMatch(connection);
        if (denying != null) {
            return denying.denied(denying.firstMatchingRule(connection));
        }
        var undecided = policies.undecided();
        if (undecided != null) {
            return undecided;
        }
        var allowing = policies.allow().firstMatch(connection);
        if (allowing != null) {
            return allowing.allowed();
        }
        return policies.allow().size() == 0 ? NO_ALLOW_POLICY : policies.notMatched();
    }

    /// What the dry-run policies would have done, in the order they would have been asked. Nothing of it is
    /// enforced.
    public static List<DryRunFinding> dryRun(ApplicablePolicies policies, ConnectionAttributes connection) {
        if (!policies.hasDryRun()) {
            return List.of();
        }
        var findings = new ArrayList<DryRunFinding>();
        for (var policy : policies.dryRunDeny()) {
            int rule = policy.firstMatchingRule(connection);
            if (rule >= 0) {
                findings.add(new DryRunFinding.WouldDeny(policy.source().key(), rule));
            }
        }
        boolean allowed = false;
        for (var policy : policies.dryRunAllow()) {
            if (policy.firstMatchingRule(connection) >= 0) {
                findings.add(new DryRunFinding.WouldAllow(policy.source().key()));
                allowed = true;
            }
        }
        if (!allowed && policies.dryRunAllow().length > 0) {
            findings.add(new DryRunFinding.NoneWouldAllow(policies.dryRunAllow().length));
        }
        return List.copyOf(findings);
    }
}
