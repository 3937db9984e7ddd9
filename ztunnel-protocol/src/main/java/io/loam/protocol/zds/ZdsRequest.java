package io.loam.protocol.zds;

import io.loam.protocol.zds.HeldListeners.ListenerGroups;
import org.jspecify.annotations.Nullable;

/// What the privileged half tells the node proxy, one at a time, each answered by an ack.
public sealed interface ZdsRequest {
    /// Start, or keep, a proxy for the pod whose namespace descriptor comes with the message.
    ///
    /// @param uid Kubernetes pod UID
    /// @param listeners what the descriptors behind the namespace's are; empty if the privileged half keeps
    ///     listeners and has none yet, null if it is not asked to
    record Add(String uid, WorkloadInfo workload, @Nullable ListenerGroups listeners) implements ZdsRequest {
        public Add(String uid, WorkloadInfo workload) {
            this(uid, workload, null);
        }
    }

    /// The pod is known, its namespace was lost: keep the instance there is. Before {@link SnapshotSent} only.
    record Keep(String uid) implements ZdsRequest {}

    /// The pod has left.
    record Del(String uid) implements ZdsRequest {}

    /// Every pod of the node has been named: what was not may go.
    record SnapshotSent() implements ZdsRequest {}

    /// Who runs in the namespace.
    ///
    /// @param name of the pod
    record WorkloadInfo(String name, String namespace, String serviceAccount) {}
}
