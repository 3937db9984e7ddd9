package io.loam.lab.control;

import io.loam.config.cluster.ClusterState;
import java.util.concurrent.CompletionStage;

/// Hears every new state, on the cluster's thread and in order; must not block.
@FunctionalInterface
public interface ClusterListener {
    /// @return completes when every agent knows the state, or when there is no use in waiting any longer
    CompletionStage<Void> changed(ClusterState state);
}
