package io.loam.lab.bench.topology;

import java.io.IOException;
import java.util.Collection;
import java.util.Optional;

/// One of those that are compared. All stand between client pods on one node and server pods on another.
///
/// @param name as in the table
/// @param what it is, in one sentence
/// @param pods the ends of its loads
/// @param proxies whose CPU and memory count
/// @param asksForTunnel a client has to speak CONNECT itself; so programs that know nothing of proxies cannot use it
/// @param agents empty where the proxies are no node agents
public record Candidate(
        String name, String what, Pods pods, Proxies proxies, boolean asksForTunnel, Optional<AgentPair> agents) {
    /// The processes between client and server.
    @FunctionalInterface
    public interface Proxies {
        /// @return the client's first; empty where there are none
        /// @throws IOException if one does not run
        Collection<Long> pids() throws IOException;
    }

    /// Pods, each `namespace/name`.
    ///
    /// @param client of the load that is measured
    /// @param server of its targets
    /// @param neighbour a client whose load disturbs the first one's
    /// @param neighboursServer its target
    public record Pods(String client, String server, String neighbour, String neighboursServer) {
        /// Of a namespace of its own.
        static Pods of(String namespace) {
            return new Pods(
                    namespace + "/client",
                    namespace + "/server",
                    namespace + "/neighbour",
                    namespace + "/neighbours-server");
        }

        /// For proxies that serve one pod each, as an agent serves a node: the neighbour is another program in the
        /// same pods, because it has to be behind the same proxies.
        static Pods ofOneProxyEach(String namespace) {
            var client = namespace + "/client";
            var server = namespace + "/server";
            return new Pods(client, server, client, server);
        }
    }

    public String client() {
        return pods.client();
    }

    public String server() {
        return pods.server();
    }

    public String neighbour() {
        return pods.neighbour();
    }

    public String neighboursServer() {
        return pods.neighboursServer();
    }

    /// @return the client's proxy first
    /// @throws IOException if one of them does not run
    public Collection<Long> pids() throws IOException {
        return proxies.pids();
    }

    /// @throws IOException if one of its proxies does not run
    public ProcessUsage usage() throws IOException {
        return ProcessUsage.of(proxies.pids());
    }

    /// Its proxies are our own agents.
    public boolean isLoam() {
        return name.equals("loam");
    }

    public boolean hasProxies() {
        return !name.equals("direct");
    }
}
