package io.loam.config.compile;

import io.loam.config.cluster.ClusterState;
import java.util.List;

/// From what exists to the mesh as proxies know it. A pure function; from any thread.
public final class MeshCompiler {
    private MeshCompiler() {}

    public static CompiledMesh compile(ClusterState cluster, MeshSettings settings) {
        return new CompiledMesh(List.of(), List.of(), List.of(), List.of());
    }
}
