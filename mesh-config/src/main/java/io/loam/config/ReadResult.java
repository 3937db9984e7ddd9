package io.loam.config;

import io.loam.config.object.MeshObject;
import io.loam.config.object.ObjectKey;
import io.loam.config.problem.Problem;
import io.loam.config.problem.SourcePosition;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What could be read, and what could not.
///
/// @param objects each key once, in the order of files and lines
/// @param problems in the order they were found
/// @param rejected documents that gave no object although something is written there
public record ReadResult(List<MeshObject> objects, List<Problem> problems, List<Rejected> rejected) {
    public static final ReadResult EMPTY = new ReadResult(List.of(), List.of(), List.of());

    public ReadResult {
        objects = List.copyOf(objects);
        problems = List.copyOf(problems);
        rejected = List.copyOf(rejected);
    }

    /// A document that could not be used.
    ///
    /// @param key null where not even the name could be read
    public record Rejected(SourcePosition where, @Nullable ObjectKey key) {}

    /// The objects of this reading, with the last good version of every document that is broken now: of the same object
    /// where its name can still be read, otherwise of all objects of that file that are nowhere else.
    ///
    /// @param before the objects in force until now, as this method returned them
    public List<MeshObject> objectsKeepingLastGood(List<MeshObject> before) {
        if (rejected.isEmpty()) {
            return objects;
        }
        var present = new HashSet<ObjectKey>();
        objects.forEach(object -> present.add(object.key()));
        var kept = new ArrayList<>(objects);
        for (var old : before) {
            if (isRejected(old) && present.add(old.key())) {
                kept.add(old);
            }
        }
        return List.copyOf(kept);
    }

    private boolean isRejected(MeshObject old) {
        return rejected.stream()
                .anyMatch(document -> document.key() != null
                        ? document.key().equals(old.key())
                        : document.where().file().equals(old.meta().position().file()));
    }
}
