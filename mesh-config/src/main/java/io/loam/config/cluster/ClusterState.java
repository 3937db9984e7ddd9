package io.loam.config.cluster;

import io.loam.config.object.MeshObject;
import java.util.List;
import java.util.stream.Stream;

/// Everything the mesh is compiled from, at one moment.
///
/// @param objects all documents; services carry the virtual addresses they were given
/// @param pods the pods that run, those of deployments included
public record ClusterState(List<MeshObject> objects, List<RunningPod> pods) {
    public static final ClusterState EMPTY = new ClusterState(List.of(), List.of());

    public ClusterState {
        objects = List.copyOf(objects);
        pods = List.copyOf(pods);
    }

    /// The objects of one kind, in the order they were read.
    public <T extends MeshObject> Stream<T> objects(Class<T> kind) {
        return objects.stream().filter(kind::isInstance).map(kind::cast);
    }
}
