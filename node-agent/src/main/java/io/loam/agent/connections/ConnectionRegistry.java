package io.loam.agent.connections;

import io.loam.agent.pod.LocalPod;
import io.loam.model.decision.Authority;
import io.loam.model.decision.EgressRule;
import io.loam.model.failure.ErrorCode;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.ApplicablePolicies;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.Verdict;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Egress;
import io.netty.channel.EventLoop;
import java.net.InetSocketAddress;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// All connections that are open or being decided. When the policies of a pod change, each of its inbound ones
/// is asked again, and those that are denied now are cut (wire reference, 7.2; hazard I16). When a pod's egress
/// becomes REGISTRY_ONLY, or the mesh forgets addresses while it is, its outbound ones are asked again, and
/// those to what the mesh does not know are cut.
///
/// A connection is added **before** its first check: a policy that arrives in between is then seen by the check or by
/// the re-evaluation, never by neither. What both look at is the current snapshot, so comparing a snapshot with the one
/// before it tells whether a connection that passed its check may have to be asked again.
public final class ConnectionRegistry {
    private final ConnectionLimits limits;

    private final Set<OpenConnection> open = ConcurrentHashMap.newKeySet();

    private final Map<EventLoop, RelaySweep> sweeps = new ConcurrentHashMap<>();

    /// Of the publishing thread alone.
    private MeshSnapshot previous = MeshSnapshot.EMPTY;

    public ConnectionRegistry(ConnectionLimits limits) {
        this.limits = limits;
    }

    /// What connections may hold.
    public ConnectionLimits limits() {
        return limits;
    }

    /// On the connection's event loop, before its first check.
    public void add(OpenConnection connection) {
        open.add(connection);
    }

    /// Once the connection has ended or was refused.
    public void remove(OpenConnection connection) {
        open.remove(connection);
    }

    /// Where relays of `loop` report their counts from; on that loop.
    public RelaySweep sweepOf(EventLoop loop) {
        return sweeps.computeIfAbsent(loop, RelaySweep::new);
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
        var before = previous;
        previous = mesh;
        var changed = new IdentityHashMap<LocalPod, Optional<ApplicablePolicies>>();
        var closed = new IdentityHashMap<LocalPod, Optional<Workload>>();
        for (var connection : open) {
            var leavingFor = connection.leavingFor();
            if (leavingFor != null) {
                closed.computeIfAbsent(connection.pod(), pod -> narrowedEgress(pod, before, mesh))
                        .ifPresent(source -> decide(connection, mesh, source, leavingFor));
            }
            var attributes = connection.attributes();
            if (attributes == null) {
                continue;
            }
            changed.computeIfAbsent(connection.pod(), pod -> changedPolicies(pod, before, mesh))
                    .ifPresent(policies -> decide(connection, policies, attributes));
        }
    }

    /// The workload of a pod whose egress is REGISTRY_ONLY in `mesh`, if that may permit less than `before`
    /// did.
    private static Optional<Workload> narrowedEgress(LocalPod pod, MeshSnapshot before, MeshSnapshot mesh) {
        var workload = pod.workload(mesh);
        if (workload == null || workload.egress() != Egress.REGISTRY_ONLY) {
            return Optional.empty();
        }
        if (before.withdrawals() == mesh.withdrawals()) {
            var then = pod.workload(before);
            if (then != null && then.egress() == Egress.REGISTRY_ONLY) {
                return Optional.empty();
            }
        }
        return Optional.of(workload);
    }

    private static void decide(
            OpenConnection connection, MeshSnapshot mesh, Workload source, InetSocketAddress leavingFor) {
        if (!EgressRule.permits(mesh, source, leavingFor.getAddress())) {
            connection.cut(
                    ErrorCode.NOT_IN_REGISTRY,
                    "connection closed due to egress change: " + Authority.text(leavingFor)
                            + " belongs to nothing that the pod may call with REGISTRY_ONLY");
        }
    }

    /// The policies of a pod in `mesh` if they may differ from those in `before`. Empty as well for a pod that is
    /// leaving: nobody speaks for it any more, its connections end by themselves.
    private static Optional<ApplicablePolicies> changedPolicies(LocalPod pod, MeshSnapshot before, MeshSnapshot mesh) {
        var workload = pod.workload(mesh);
        if (workload == null) {
            return Optional.empty();
        }
        if (before.policyVersion() == mesh.policyVersion()) {
            var then = pod.workload(before);
            if (then != null && then.authorizationPolicies().equals(workload.authorizationPolicies())) {
                return Optional.empty();
            }
        }
        return Optional.of(mesh.policiesFor(workload));
    }

    private static void decide(
            OpenConnection connection, ApplicablePolicies policies, ConnectionAttributes attributes) {
        var verdict = Authorizer.decide(policies, attributes);
        // A policy on its way is no reason to cut what was allowed without it: its arrival asks again.
        if (!verdict.allows() && !(verdict instanceof Verdict.Undecided)) {
            connection.cut(ErrorCode.POLICY_CHANGED, "connection closed due to policy change: " + describe(verdict));
        }
    }

    /// The time of a drain is over.
    public void abortAll(String reason) {
        for (var connection : open) {
            connection.cut(ErrorCode.DRAINED, reason);
        }
    }

    /// Cuts all connections of a pod.
    public void abort(LocalPod pod, ErrorCode code, String reason) {
        for (var connection : open) {
            if (connection.pod() == pod) {
                connection.cut(code, reason);
            }
        }
    }

    /// For logs: who decided.
    public static String describe(Verdict verdict) {
        return switch (verdict) {
            case Verdict.Allowed(var policy) -> policy.isEmpty() ? "no policy applies" : "allowed by " + policy;
            case Verdict.Denied(var policy, var rule) -> "denied by " + policy + " rule " + rule;
            case Verdict.NotMatched(var policies, var first) ->
                "none of " + policies + " allow policies matched: " + String.join(", ", first)
                        + (policies > first.size() ? ", …" : "");
            case Verdict.Undecided(var policy) -> "policy " + policy + " not received";
        };
    }
}
