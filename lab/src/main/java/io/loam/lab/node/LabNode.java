package io.loam.lab.node;

import io.loam.cni.EnrolmentListener;
import io.loam.cni.NodeEnroller;
import io.loam.cni.NodeEnrollerConfig;
import io.loam.config.cluster.ClusterState;
import io.loam.config.object.ServiceObject;
import io.loam.lab.network.LabName;
import io.loam.lab.network.NodeSlot;
import io.loam.lab.process.NodeSockets;
import io.loam.lab.services.KubeProxy;
import io.loam.lab.services.NodeServices;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.NetnsThread;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One node: enroller, agent, kernel balancing, and a thread in its namespace for probes.
final class LabNode implements NodeSockets, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LabNode.class);

    private final NodeSlot slot;
    private final NodeEnroller enroller;
    private final AgentProcess agent;
    private final NetnsThread inside;
    private final LatestState states;

    private LabNode(NodeSlot slot, NodeEnroller enroller, AgentProcess agent, NetnsThread inside, KubeProxy proxy) {
        this.slot = slot;
        this.enroller = enroller;
        this.agent = agent;
        this.inside = inside;
        this.states = new LatestState("kube-proxy of " + slot.name(), state -> balance(proxy, state));
    }

    /// @param agentEnvironment all but the socket, which this node adds
    /// @param directory of the node
    static LabNode start(
            LabName lab,
            NodeSlot slot,
            Path directory,
            Map<String, String> agentEnvironment,
            AgentSetup setup,
            EnrolmentListener listener)
            throws IOException {
        Files.createDirectories(directory);
        var netns = lab.nodeNetns(slot.name());
        var path = LabName.netnsPath(netns);
        // By number: the name of a node may be longer than the path of a socket (108 bytes, unix(7)).
        var socket = Files.createDirectories(lab.stateDir().resolve("zds")).resolve(slot.index() + ".sock");
        var environment = new HashMap<>(agentEnvironment);
        environment.put("INPOD_UDS", socket.toString());
        var state = Files.createDirectories(directory.resolve("agent"));
        environment.put("LOAM_STATE_DIR", state.toString());
        NetnsThread inside;
        try (var open = Netns.open(path)) {
            inside = NetnsThread.start(open, "node " + slot.name());
        }
        NodeEnroller enroller;
        try {
            var config = NodeEnrollerConfig.defaults(slot.name(), socket, path);
            enroller = NodeEnroller.start(setup.dnsCapture() ? config : config.withoutDnsCapture(), listener);
        } catch (IOException | RuntimeException e) {
            inside.close();
            throw e;
        }
        // From here on nothing fails: an agent that cannot be started is tried again by its own thread.
        var agent = AgentProcess.start(slot.name(), netns, environment, directory.resolve("agent.log"), state, setup);
        return new LabNode(slot, enroller, agent, inside, new KubeProxy(path));
    }

    NodeEnroller enroller() {
        return enroller;
    }

    Optional<ProcessHandle> agent() {
        return agent.process();
    }

    /// @param changes to its environment, from now on
    /// @param confirmed whether a process that came later than the call has what the control plane published
    /// @return the agent that drains, empty if none was running
    Optional<ProcessHandle> replaceAgent(Map<String, String> changes, BooleanSupplier confirmed, Duration atMost)
            throws IOException {
        return agent.replace(changes, process -> lacks(process.pid(), confirmed), atMost);
    }

    private String lacks(long pid, BooleanSupplier confirmed) {
        var said = AgentAdmin.lacks(this, pid);
        if (!said.isEmpty() || !enroller.serves(pid)) {
            return said.isEmpty() ? "it does not have the pods of its node yet" : said;
        }
        return confirmed.getAsBoolean() ? "" : "it does not have what the control plane published last";
    }

    void follow(ClusterState state) {
        states.offer(state);
    }

    /// What the node still lacks.
    List<String> pending() {
        var pending = new ArrayList<String>();
        if (!states.isUpToDate()) {
            pending.add("node " + slot.name() + ": services are not balanced yet");
        }
        if (enroller.proxies() == 0) {
            pending.add("node " + slot.name() + ": its agent has not connected to the node yet");
        }
        return pending;
    }

    private void balance(KubeProxy proxy, ClusterState state) throws IOException {
        var ports = NodeServices.of(state.objects(ServiceObject.class).toList(), state.pods(), slot.name());
        if (proxy.sync(ports)) {
            LOG.debug("node={} balanced ports={}", slot.name(), ports.size());
        }
    }

    @Override
    public SocketChannel open() throws IOException {
        try {
            return inside.submit(SocketChannel::open).get();
        } catch (RejectedExecutionException e) { // a probe that was under way when the node went
            throw new IOException("node " + slot.name() + " is gone", e);
        } catch (ExecutionException e) {
            throw new IOException("no socket in the namespace of node " + slot.name(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    @Override
    public void close() {
        states.close();
        agent.close();
        enroller.close();
        inside.close();
    }
}
