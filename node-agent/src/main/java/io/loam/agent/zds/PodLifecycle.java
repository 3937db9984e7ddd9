package io.loam.agent.zds;

import io.loam.protocol.linux.Netns;
import io.loam.protocol.zds.HeldListeners;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/// What the privileged half asks for. All methods are called on the ZDS thread, a platform thread, and may block.
public interface PodLifecycle {
    /// A new connection: every pod of the node will be named before {@link #snapshotComplete}.
    void connected();

    /// Takes a pod into the mesh. Idempotent for the same namespace; another one replaces the old instance.
    ///
    /// @param netns passes into the ownership of the callee, whatever happens
    /// @param held the pod's listeners that the privileged half keeps, perhaps none yet; null if it keeps
    ///     none. Passes into the ownership of the callee, whatever happens
    /// @return what the privileged half is to keep instead, owned by the caller; null if nothing changes
    /// @throws IOException if its listeners cannot be opened, or if one of `held` is not what it is said to
    ///     be; the pod stays pending
    @Nullable
    HeldListeners add(String uid, WorkloadInfo info, Netns netns, @Nullable HeldListeners held) throws IOException;

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
