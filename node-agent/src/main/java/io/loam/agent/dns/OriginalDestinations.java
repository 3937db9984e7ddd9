package io.loam.agent.dns;

import io.loam.agent.pod.LocalPod;
import io.loam.protocol.linux.Conntrack;
import java.io.IOException;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Whom the programs of a pod asked by the datagrams that the kernel brought here. The pod's own resolvers, in
/// other words, which only its programs know: the agent does not see the pod's files. Belongs to one event
/// loop.
///
/// Where the kernel cannot tell, the resolvers of the configuration are asked instead; that is logged once.
final class OriginalDestinations {
    private static final Logger log = LoggerFactory.getLogger(OriginalDestinations.class);

    private final LocalPod pod;
    private final InetSocketAddress listening;
    private @Nullable Conntrack conntrack;
    private boolean unavailable;

    /// @param listening where the datagrams arrive
    OriginalDestinations(LocalPod pod, InetSocketAddress listening) {
        this.pod = pod;
        this.listening = listening;
    }

    /// @return null if it is not known
    @Nullable
    InetSocketAddress of(InetSocketAddress sender) {
        if (unavailable) {
            return null;
        }
        try {
            if (conntrack == null) {
                conntrack = pod.sockets().conntrack();
            }
            return conntrack.originalDestination(sender, listening).orElse(null);
        } catch (IOException e) {
            log.warn(
                    "cannot see whom the pod's programs ask, queries go to the configured resolvers pod={} reason={}",
                    pod,
                    e.getMessage());
            close();
            return null;
        }
    }

    /// Nothing is asked any more.
    void close() {
        unavailable = true;
        if (conntrack != null) {
            conntrack.close();
            conntrack = null;
        }
    }
}
