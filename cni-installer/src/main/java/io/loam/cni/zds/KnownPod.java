package io.loam.cni.zds;

import io.loam.protocol.linux.Netns;
import io.loam.protocol.zds.HeldListeners;
import io.loam.protocol.zds.ZdsAgentSession;
import io.loam.protocol.zds.ZdsRequest.Add;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/// A pod as every proxy that connects is told of it, and the listeners and sockets for datagrams that are
/// kept for it while no proxy runs (hazards P1, P4). Owns the descriptors of both. Its lock keeps them open
/// while a message with them is under way.
///
/// What is kept is what a proxy handed over last. Nothing else is open there: a listener that is kept and
/// that no proxy accepts from would swallow its share of the pod's connections, since the kernel spreads
/// them over all (SO_REUSEPORT). So what the newest proxy has taken no notice of is closed.
final class KnownPod {
    private final Add add;
    private final Netns netns;
    private HeldListeners kept = new HeldListeners();
    private boolean forgotten;

    KnownPod(Add add, Netns netns) {
        this.add = add;
        this.netns = netns;
    }

    String uid() {
        return add.uid();
    }

    /// @return the proxy's error, "" if it accepted; null if the pod has been forgotten, so that nothing was
    ///     sent
    /// @throws IOException also if the proxy hands over what are not listeners of this pod
    synchronized @Nullable String sendTo(ZdsAgentSession session) throws IOException {
        if (forgotten) {
            return null;
        }
        var answer = session.add(add, netns.descriptor(), kept);
        var offered = answer.listeners();
        if (offered != null) {
            try {
                offered.requireListening(netns); // a proxy parses what comes from the network: not taken at its word
            } catch (IOException | RuntimeException e) {
                offered.close();
                throw e;
            }
            kept.close();
            kept = offered;
        } else if (answer.error().isEmpty()) {
            closeUnknownTo(session);
        }
        return answer.error();
    }

    private void closeUnknownTo(ZdsAgentSession session) {
        switch (session.handOver()) {
            case NOTHING -> kept.close();
            case LISTENERS -> kept.closeDatagrams();
            case ALL -> {}
        }
    }

    /// Takes over what is kept for the same pod under its former object, unless the pod got another
    /// namespace. To be called before anybody else knows this object; `former` is forgotten.
    void succeed(KnownPod former) {
        var inherited = former.surrender();
        if (former.netns.inode() == netns.inode()) {
            kept = inherited;
        } else {
            inherited.close();
        }
    }

    private synchronized HeldListeners surrender() {
        var surrendered = kept;
        kept = new HeldListeners();
        forget();
        return surrendered;
    }

    synchronized void forget() {
        forgotten = true;
        netns.close();
        kept.close();
    }
}
