package io.loam.lab.control;

import io.loam.cni.EnrolledPod;
import io.loam.cni.EnrolmentListener;
import io.loam.lab.network.NodeSlot;
import io.loam.lab.process.NodeSockets;
import java.io.IOException;
import java.util.concurrent.CompletionStage;

/// What makes a namespace a node of the mesh: its agent, and what brings pods to it. Except for {@link #enrol} and
/// {@link #withdraw} called by the cluster's thread only.
public interface NodeParts {
    /// The node has its network. Does not wait for the agent.
    ///
    /// @param listener hears how its pods come into the mesh
    void start(NodeSlot node, EnrolmentListener listener) throws IOException;

    /// The node has no pods any more.
    void stop(String node);

    NodeSockets sockets(String node);

    /// Asks for a pod to be taken in; the node's listener hears when it is.
    void enrol(String node, EnrolledPod pod);

    /// Takes a pod out. May be called for pods that are not in.
    ///
    /// @return completes when nothing new is captured
    CompletionStage<Void> withdraw(String node, String uid);
}
