package io.loam.config.object;

import io.loam.model.workload.Locality;

/// A machine that runs pods.
///
/// @param unschedulable takes no new pods, except those that name it
public record NodeObject(ObjectMeta meta, boolean unschedulable) implements MeshObject {
    /// From the labels `topology.kubernetes.io/region`, `topology.kubernetes.io/zone` and `topology.istio.io/subzone`.
    public Locality locality() {
        var labels = meta.labels();
        return new Locality(
                labels.getOrDefault("topology.kubernetes.io/region", ""),
                labels.getOrDefault("topology.kubernetes.io/zone", ""),
                labels.getOrDefault("topology.istio.io/subzone", ""));
    }
}
