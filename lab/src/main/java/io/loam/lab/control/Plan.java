package io.loam.lab.control;

import java.util.List;

/// What to do now.
///
/// @param waiting pods that are wanted and cannot be created yet
record Plan(List<Action> actions, List<Waiting> waiting) {
    Plan {
        actions = List.copyOf(actions);
        waiting = List.copyOf(waiting);
    }

    /// @param pod `namespace/name`; the deployment's where the pod has no name yet
    record Waiting(String pod, String reason) {}
}
