package io.loam.agent.inbound;

import io.loam.agent.connections.ConnectionRegistry;
import io.loam.agent.connections.OpenConnection;
import io.loam.model.failure.ErrorCode;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.Verdict;
import io.loam.model.workload.Workload;
import java.util.function.Consumer;

/// Asks the policies of a pod about one registered connection, and again, once, when one of them has not been received
/// yet. Belongs to the connection's event loop.
final class PolicyCheck {
    private final InboundServices services;
    private final OpenConnection connection;
    private final ConnectionAttributes attributes;
    private final Consumer<Workload> allowed;
    private boolean waitedForPolicies;

    /// @param allowed goes on; is given the pod as the mesh described it when the verdict fell
    PolicyCheck(
            InboundServices services,
            OpenConnection connection,
            ConnectionAttributes attributes,
            Consumer<Workload> allowed) {
        this.services = services;
        this.connection = connection;
        this.attributes = attributes;
        this.allowed = allowed;
    }

    /// Looks the workload up anew: a snapshot that came after an earlier look and before this connection was
    /// registered is seen here, and a later one by the re-evaluation.
    void ask() {
        var pod = connection.pod();
        var mesh = services.mesh().current();
        var local = pod.workload(mesh);
        if (local == null) {
            connection.fail(ErrorCode.UNKNOWN_SOURCE, "local workload " + pod + " is not known any more");
            return;
        }
        var policies = mesh.policiesFor(local);
        var verdict = Authorizer.decide(policies, attributes);
        if (verdict instanceof Verdict.Undecided && !waitedForPolicies) {
            waitedForPolicies = true;
            services.workloads().awaitPolicies(pod, connection.loop(), () -> connection.guarded(this::ask));
            return;
        }
        connection.report().dryRun(Authorizer.dryRun(policies, attributes));
        if (verdict.allows()) {
            allowed.accept(local);
        } else {
            connection.fail(ErrorCode.of(verdict), ConnectionRegistry.describe(verdict));
        }
    }
}
