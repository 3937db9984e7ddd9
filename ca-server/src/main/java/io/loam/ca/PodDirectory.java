package io.loam.ca;

import java.util.Optional;

/// Who runs where, at one moment. Implementations are immutable ({@link PodSnapshot}): a decision asks several
/// questions and all answers have to describe the same moment.
public interface PodDirectory {
    /// The pod that has this name now.
    Optional<Pod> pod(String namespace, String name);

    /// Whether a pod of this service account, one that has not failed, is on the node.
    boolean runsOn(String node, String namespace, String serviceAccount);

    /// @param uid unique over time: a pod created again under the same name has another one
    /// @param failed it ended badly and runs nothing any more
    record Pod(String namespace, String name, String uid, String serviceAccount, String node, boolean failed) {}
}
