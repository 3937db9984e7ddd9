package io.loam.config.object;

import io.loam.config.problem.SourcePosition;
import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What all objects have: name, labels, place.
///
/// @param namespace "" for kinds without one, `default` where the document leaves it out
/// @param created `metadata.creationTimestamp`; null where nobody wrote one, as in most files
/// @param origin where it was written; never part of equality
public record ObjectMeta(
        String name,
        String namespace,
        Map<String, String> labels,
        Map<String, String> annotations,
        @Nullable Instant created,
        Origin origin) {
    public ObjectMeta {
        labels = Map.copyOf(labels);
        annotations = Map.copyOf(annotations);
    }

    public SourcePosition position() {
        return origin.document();
    }
}
