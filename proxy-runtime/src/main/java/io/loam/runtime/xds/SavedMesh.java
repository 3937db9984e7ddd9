package io.loam.runtime.xds;

import io.loam.model.mesh.MeshSnapshot;
import java.time.Instant;
import java.util.Map;
import java.util.Set;

/// A mesh that an agent of this node left on disk ({@link MeshFile}).
///
/// @param asOf the last moment at which the control plane is known to have said just this
/// @param names of its resources, of each type
record SavedMesh(Instant asOf, MeshSnapshot mesh, Map<ResourceType, Set<String>> names) {
    SavedMesh {
        names = Map.copyOf(names);
    }

    Set<String> names(ResourceType type) {
        return names.getOrDefault(type, Set.of());
    }
}
