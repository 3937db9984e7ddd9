package io.loam.lab.control;

import io.loam.config.cluster.ClusterState;
import io.loam.lab.process.PodSandbox;
import java.util.List;
import java.util.Map;

/// The cluster at one moment.
///
/// @param pending what is not yet as it should be, one sentence each
/// @param sandboxes by uid, of pods that have their network
public record ClusterView(ClusterState state, List<String> pending, Map<String, PodSandbox> sandboxes) {
    static final ClusterView EMPTY =
            new ClusterView(ClusterState.EMPTY, List.of("nothing has been read yet"), Map.of());

    public ClusterView {
        pending = List.copyOf(pending);
        sandboxes = Map.copyOf(sandboxes);
    }
}
