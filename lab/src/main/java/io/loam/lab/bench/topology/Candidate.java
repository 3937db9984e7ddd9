package io.loam.lab.bench.topology;

import java.io.IOException;
import java.util.Collection;

/// One of those that are compared. All stand between a client pod on the first node and a server pod on the second.
///
/// @param name as in the table
/// @param what it is, in one sentence
/// @param client pod of the load, `namespace/name`
/// @param server pod of the targets
/// @param proxies whose CPU and memory count
/// @param asksForTunnel a client has to speak CONNECT itself; so programs that know nothing of proxies cannot use it
public record Candidate(
        String name, String what, String client, String server, Proxies proxies, boolean asksForTunnel) {
    /// The processes between client and server.
    @FunctionalInterface
    public interface Proxies {
        /// @return empty where there are none
        /// @throws IOException if one does not run
        Collection<Long> pids() throws IOException;
    }

    public ProcessUsage usage() throws IOException {
        return ProcessUsage.of(proxies.pids());
    }
}
