package io.loam.lab.control;

import io.loam.config.object.NamespaceObject;
import io.loam.config.object.PodObject;
import org.jspecify.annotations.Nullable;

/// Whether a pod belongs to the mesh.
@FunctionalInterface
interface MeshRule {
    /// @param namespace null where nobody wrote one
    boolean takes(PodObject pod, @Nullable NamespaceObject namespace);
}
