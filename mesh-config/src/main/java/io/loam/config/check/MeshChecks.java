package io.loam.config.check;

import io.loam.config.object.MeshObject;
import io.loam.config.problem.Problem;
import java.util.List;

/// Finds what is wrong between documents that are each right by themselves.
public final class MeshChecks {
    private MeshChecks() {}

    /// @param objects all that are in force
    public static List<Problem> check(List<MeshObject> objects) {
        return List.of();
    }
}
