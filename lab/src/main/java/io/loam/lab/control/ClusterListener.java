package io.loam.lab.control;

import io.loam.config.cluster.ClusterState;
import java.util.concurrent.CompletionStage;

/// Hears every new state. Called on the cluster's thread and in order; must not block.
public interface ClusterListener {
    void changed(ClusterState state);

    /// @return completes when every agent knows what was told last, or when there is no use in waiting any longer
    CompletionStage<Void> known();
}
