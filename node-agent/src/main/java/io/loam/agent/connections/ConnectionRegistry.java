package io.loam.agent.connections;

import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.Verdict;
import java.util.Collection;
import java.util.Collections;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// All connections that are open or being decided. Each change of the mesh asks again for each inbound one, and those
/// that are denied now are cut (wire reference, 7.2; hazard I16).
///
/// A connection is added **before** its first check: a policy that arrives in between is then seen by the check or by
/// the re-evaluation, never by neither.
public final class ConnectionRegistry {
    private final Set<OpenConnection> open = ConcurrentHashMap.newKeySet();

    /// On the connection's event loop, before its first check.
    public void add(OpenConnection connection) {
        open.add(connection);
    }

    /// Once the connection has ended or was refused.
    public void remove(OpenConnection connection) {
        open.remove(connection);
    }

    /// For the configuration dump; weakly consistent.
    public Collection<OpenConnection> all() {
        return Collections.unmodifiableSet(open);
    }

    public int size() {
        return open.size();
    }

    /// Listener of the mesh: on the publishing thread.
    public void onSnapshot(MeshSnapshot mesh) {
        for (var connection : open) {
            var attributes = connection.attributes();
            if (attributes == null) {
                continue;
            }
            var workload = connection.pod().workload(mesh);
            if (workload == null) {
                continue; // the pod is leaving: nobody speaks for it any more, its connections end by themselves
            }
            var verdict = Authorizer.decide(mesh.policiesFor(workload), attributes);
            if (!verdict.allows()) {
                connection.cut(
                        ErrorCode.POLICY_CHANGED, "connection closed due to policy change: " + describe(verdict));
            }
        }
    }

    /// The time of a drain is over.
    public void abortAll(String reason) {
        for (var connection : open) {
            connection.cut(ErrorCode.DRAINED, reason);
        }
    }

    /// For logs: who decided.
    public static String describe(Verdict verdict) {
        return switch (verdict) {
            case Verdict.Allowed(var policy) -> policy.isEmpty() ? "no policy applies" : "allowed by " + policy;
            case Verdict.Denied(var policy, var rule) -> "denied by " + policy + " rule " + rule;
            case Verdict.NotMatched(var policies) -> "none of " + policies + " allow policies matched";
        };
    }
}
