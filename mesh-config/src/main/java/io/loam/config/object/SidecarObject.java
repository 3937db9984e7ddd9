package io.loam.config.object;

import java.util.Map;

/// What counts here of a Sidecar: where workloads may go.
///
/// @param workloadSelector empty = all of the namespace; in a root namespace all of the mesh
public record SidecarObject(ObjectMeta meta, Map<String, String> workloadSelector, EgressMode egress)
        implements MeshObject {
    public SidecarObject {
        workloadSelector = Map.copyOf(workloadSelector);
    }
}
