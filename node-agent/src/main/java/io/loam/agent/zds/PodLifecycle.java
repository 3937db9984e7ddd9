package io.loam.agent.zds;

import io.loam.protocol.linux.Netns;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import java.io.IOException;

/// What the privileged half asks for. All methods are called on the ZDS thread, a platform thread, and may block.
public interface PodLifecycle {
    /// A new connection: every pod of the node will be named before {@link #snapshotComplete}.
    void connected();

    /// Takes a pod into the mesh. Idempotent for the same namespace; another one replaces the old instance.
    ///
    /// @param netns passes into the ownership of the callee, whatever happens
    /// @throws IOException if its listeners cannot be opened; the pod stays pending
    void add(String uid, WorkloadInfo info, Netns netns) throws IOException;

    /// Keeps the instance there is.
    ///
    /// @throws IOException if there is none
    void keep(String uid) throws IOException;

    /// The pod left; running connections go on. Does nothing if it is not known.
    void remove(String uid);

    /// Everything was named: instances that were not may go.
    void snapshotComplete();

    /// Time to try pending pods again.
    void retryPending();
}
