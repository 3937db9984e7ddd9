package io.loam.lab.node;

import io.loam.cni.EnrolledPod;
import io.loam.cni.EnrolmentListener;
import io.loam.config.cluster.ClusterState;
import io.loam.lab.control.NodeParts;
import io.loam.lab.network.LabName;
import io.loam.lab.network.NodeSlot;
import io.loam.lab.process.NodeSockets;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/// The nodes of a lab. Safe for all threads.
public final class LabNodes implements NodeParts, AutoCloseable {
    private final LabName lab;
    private final AgentRegistry agents;
    private final AgentSetup setup;
    private final Map<String, LabNode> nodes = new ConcurrentHashMap<>();
    private volatile ClusterState state = ClusterState.EMPTY;

    /// @param setup its environment comes besides what the registry says, or instead of it
    public LabNodes(LabName lab, AgentRegistry agents, AgentSetup setup) {
        this.lab = lab;
        this.agents = agents;
        this.setup = setup;
    }

    @Override
    public void start(NodeSlot slot, EnrolmentListener listener) throws IOException {
        var directory = lab.stateDir().resolve("nodes").resolve(slot.name());
        var environment = new HashMap<>(agents.register(slot));
        environment.putAll(setup.environment());
        var node = LabNode.start(lab, slot, directory, environment, setup, listener);
        nodes.put(slot.name(), node);
        node.follow(state);
    }

    @Override
    public void stop(String name) {
        var node = nodes.remove(name);
        if (node != null) {
            node.close();
        }
        agents.forget(name); // also where it never started
    }

    @Override
    public NodeSockets sockets(String name) {
        var node = nodes.get(name);
        if (node == null) {
            throw new IllegalArgumentException("node: " + name + " (expected: one of " + nodes.keySet() + ")");
        }
        return node;
    }

    @Override
    public void enrol(String name, EnrolledPod pod) {
        var node = nodes.get(name);
        if (node != null) {
            var _ = node.enroller().enrol(pod); // its listener tells what comes of it
        }
    }

    @Override
    public CompletionStage<Void> withdraw(String name, String uid) {
        var node = nodes.get(name);
        return node == null
                ? CompletableFuture.completedStage(null)
                : node.enroller().withdraw(uid);
    }

    /// Takes note of a state; the nodes work it in on their own threads.
    public void follow(ClusterState next) {
        state = next;
        nodes.values().forEach(node -> node.follow(next));
    }

    public Optional<ProcessHandle> agent(String name) {
        var node = nodes.get(name);
        return node == null ? Optional.empty() : node.agent();
    }

    /// See {@link io.loam.lab.Lab#askAgent}.
    public AgentAnswer askAgent(String name, String method, String path) throws IOException {
        return AgentAdmin.ask(sockets(name), method, path);
    }

    /// Puts a second agent in the place of a node's agent, which drains.
    ///
    /// @param changes to its environment, from now on
    /// @param confirmed whether an agent of the node that connected after this call has what was published
    /// @return the agent that drains, empty if none was running
    /// @throws IOException if the second one does not serve in time; the first one stays then
    public Optional<ProcessHandle> replaceAgent(
            String name, Map<String, String> changes, BooleanSupplier confirmed, Duration atMost) throws IOException {
        var node = nodes.get(name);
        if (node == null) {
            throw new IllegalArgumentException("node: " + name + " (expected: one of " + nodes.keySet() + ")");
        }
        return node.replaceAgent(changes, confirmed, atMost);
    }

    public Collection<String> names() {
        return List.copyOf(nodes.keySet());
    }

    /// What nodes still lack, one sentence each.
    public List<String> pending() {
        return nodes.values().stream().flatMap(node -> node.pending().stream()).toList();
    }

    @Override
    public void close() {
        nodes.values().parallelStream().forEach(LabNode::close);
        nodes.clear();
    }
}
