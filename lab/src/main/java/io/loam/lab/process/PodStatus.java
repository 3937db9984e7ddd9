package io.loam.lab.process;

import io.loam.config.cluster.RunningPod.Phase;
import java.util.List;

/// A pod's containers at one moment.
///
/// @param reason why it is not ready; "" if it is, or has done its work
public record PodStatus(Phase phase, boolean ready, String reason, List<ContainerStatus> containers) {
    public PodStatus {
        containers = List.copyOf(containers);
    }
}
