package io.loam.cni.zds;

import io.loam.protocol.linux.Netns;
import io.loam.protocol.zds.ZdsAgentSession;
import io.loam.protocol.zds.ZdsRequest.Add;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/// A pod as every proxy that connects is told of it. Owns the namespace's descriptor. Its lock keeps the descriptor
/// open while a message with it is under way.
final class KnownPod {
    private final Add add;
    private final Netns netns;
    private boolean forgotten;

    KnownPod(Add add, Netns netns) {
        this.add = add;
        this.netns = netns;
    }

    String uid() {
        return add.uid();
    }

    /// @return the proxy's error, "" if it accepted; null if the pod has been forgotten, so that nothing was sent
    synchronized @Nullable String sendTo(ZdsAgentSession session) throws IOException {
        return forgotten ? null : session.add(add, netns.descriptor());
    }

    synchronized void forget() {
        forgotten = true;
        netns.close();
    }
}
