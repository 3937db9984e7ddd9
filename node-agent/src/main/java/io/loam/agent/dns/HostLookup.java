package io.loam.agent.dns;

import io.loam.model.workload.Workload;
import java.net.InetAddress;
import java.util.List;

/// Looks up the addresses of endpoints that are known by a host name only, as one pod sees them; {@link
/// PodHosts} outside of tests. Belongs to one event loop.
public interface HostLookup {
    /// Nothing to be cancelled any more.
    Runnable DONE = () -> {};

    /// Calls `next` once, on the loop: during this call if the answer is known, later otherwise, and after the
    /// time of `LOAM_DNS_TIMEOUT` at the latest.
    ///
    /// @param source the pod that connects: its addresses say which families are asked for
    /// @param host any text
    /// @return gives up: `next` is not called any more. On the loop; does nothing after the call
    Runnable find(Workload source, String host, Listener next);

    /// Who waits.
    interface Listener {
        /// @param answer never changes
        void onAnswer(Answer answer);
    }

    /// What was found out.
    sealed interface Answer {
        /// @param addresses at least one, as resolvers gave them
        record Found(List<InetAddress> addresses) implements Answer {
            public Found {
                addresses = List.copyOf(addresses);
            }
        }

        /// @param reason for logs: the name, and who said what
        record NotFound(String reason) implements Answer {}
    }
}
