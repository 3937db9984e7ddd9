package io.loam.model.policy;

import java.util.ArrayList;
import java.util.List;

/// Decides whether a connection may reach a workload (wire reference, 7.2): a DENY that matches wins, then any
/// ALLOW that matches; a workload without ALLOW policies accepts everyone. Source workloads are never asked.
public final class Authorizer {
    /// A connection's line in the log is no place for more; where thousands of dry-run policies match, looking for all
    /// of them would hold up the event loop.
    static final int MOST_FINDINGS = 16;

    private static final Verdict.Allowed NO_ALLOW_POLICY = new Verdict.Allowed("");

    private Authorizer() {}

    /// Enforced policies only. Allocates nothing; may be called from any thread.
    public static Verdict decide(ApplicablePolicies policies, ConnectionAttributes connection) {
        for (var layer : policies.layers()) {
            var deny = layer.deny();
            int denying = deny.firstMatch(connection, 0);
            if (denying >= 0) {
                return deny.policyAt(denying).denied(deny.ruleAt(denying));
            }
        }
        var undecided = policies.undecided();
        if (undecided != null) {
            return undecided;
        }
        var notMatched = policies.notMatched();
        if (notMatched == null) {
            return NO_ALLOW_POLICY;
        }
        for (var layer : policies.layers()) {
            var allow = layer.allow();
            int allowing = allow.firstMatch(connection, 0);
            if (allowing >= 0) {
                return allow.policyAt(allowing).allowed();
            }
        }
        return notMatched;
    }

    /// What the dry-run policies would have done, in the order they would have been asked, the first
    /// {@value #MOST_FINDINGS}. Nothing of it is enforced.
    public static List<DryRunFinding> dryRun(ApplicablePolicies policies, ConnectionAttributes connection) {
        if (!policies.hasDryRun()) {
            return List.of();
        }
        var findings = new ArrayList<DryRunFinding>();
        for (var layer : policies.layers()) {
            var deny = layer.dryRunDeny();
            int at = deny.firstMatch(connection, 0);
            while (at >= 0 && findings.size() < MOST_FINDINGS) {
                findings.add(new DryRunFinding.WouldDeny(deny.policyAt(at).key(), deny.ruleAt(at)));
                at = deny.firstMatch(connection, deny.behindPolicyAt(at)); // each policy once
            }
        }
        boolean allowed = false;
        int allowing = 0;
        for (var layer : policies.layers()) {
            var allow = layer.dryRunAllow();
            allowing += allow.size();
            int at = allow.firstMatch(connection, 0);
            allowed |= at >= 0;
            while (at >= 0 && findings.size() < MOST_FINDINGS) {
                findings.add(new DryRunFinding.WouldAllow(allow.policyAt(at).key(), allow.ruleAt(at)));
                at = allow.firstMatch(connection, allow.behindPolicyAt(at));
            }
        }
        if (!allowed && allowing > 0 && findings.size() < MOST_FINDINGS) {
            findings.add(new DryRunFinding.NoneWouldAllow(allowing));
        }
        return List.copyOf(findings);
    }
}
