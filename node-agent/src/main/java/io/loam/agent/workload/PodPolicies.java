package io.loam.agent.workload;

import io.loam.agent.pod.LocalPod;
import io.loam.model.mesh.MeshSnapshot;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Has the policies of this node's pods worked out before a snapshot is current, so that no event loop does it with the
/// first connection, and says which policies are named and missing: connections to such a pod are refused (wire
/// reference, 7.1, where ztunnel skips the policy with a warning; hazards, rules 1 and 2).
///
/// For the thread that publishes snapshots.
public final class PodPolicies {
    private static final Logger log = LoggerFactory.getLogger(PodPolicies.class);

    private final Supplier<? extends Collection<LocalPod>> pods;

    /// What was said last, by uid of the pod.
    private Map<String, List<String>> missing = Map.of();

    /// @param pods those of this node at the moment
    public PodPolicies(Supplier<? extends Collection<LocalPod>> pods) {
        this.pods = pods;
    }

    /// Preparation of the mesh.
    public void prepare(MeshSnapshot mesh) {
        var missingNow = new HashMap<String, List<String>>();
        for (var pod : pods.get()) {
            var unknown = workOut(pod, mesh);
            var before = missing.getOrDefault(pod.uid(), List.of());
            if (!unknown.isEmpty()) {
                missingNow.put(pod.uid(), unknown);
            }
            if (unknown.equals(before)) {
                continue;
            }
            if (unknown.isEmpty()) {
                log.info("all policies of the pod are known now pod={} policies={}", pod, before);
            } else {
                log.warn("policies not received, connections to the pod are refused pod={} policies={}", pod, unknown);
            }
        }
        missing = Map.copyOf(missingNow);
    }

    /// For a pod that joins; any thread but an event loop.
    ///
    /// @return the names of its policies that are not known
    static List<String> workOut(LocalPod pod, MeshSnapshot mesh) {
        var workload = pod.workload(mesh);
        return workload == null ? List.of() : mesh.policiesFor(workload).unknown();
    }
}
