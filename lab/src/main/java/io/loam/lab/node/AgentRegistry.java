package io.loam.lab.node;

import io.loam.lab.network.NodeSlot;
import java.io.IOException;
import java.util.Map;

/// Where the agents of nodes are known, and where each learns whom it talks to.
public interface AgentRegistry {
    /// Makes the node's agent known, under a new pod UID, until {@link #forget}.
    ///
    /// @return the environment its process needs, complete but for the socket to its node
    Map<String, String> register(NodeSlot node) throws IOException;

    /// The node is gone: its agent's token is renewed no more and gets it no certificates. Does nothing for a node that
    /// is not known.
    void forget(String node);
}
