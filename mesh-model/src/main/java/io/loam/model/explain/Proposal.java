package io.loam.model.explain;

import java.util.List;

/// A change of the mesh after which the verdict is the other one. It was tried: the decisions were asked again.
///
/// @param steps all of them are needed; in any order
/// @param edits how many values they touch together
public record Proposal(List<String> steps, int edits) {
    public Proposal {
        steps = List.copyOf(steps);
    }
}
