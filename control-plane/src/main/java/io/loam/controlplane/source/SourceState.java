package io.loam.controlplane.source;

import io.loam.config.object.MeshObject;
import io.loam.config.problem.Problem;
import java.util.List;

/// What the documents say now.
///
/// @param objects of each object that cannot be read any more the last version that could
/// @param problems of the documents by themselves; those between them are found when they are compiled
public record SourceState(List<MeshObject> objects, List<Problem> problems) {
    public static final SourceState EMPTY = new SourceState(List.of(), List.of());

    public SourceState {
        objects = List.copyOf(objects);
        problems = List.copyOf(problems);
    }
}
