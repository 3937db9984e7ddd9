package io.loam.lab;

import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.RunningPod;
import io.loam.config.compile.CompiledMesh;
import io.loam.config.problem.Problem;
import io.loam.controlplane.source.DirectorySource;
import io.loam.lab.command.Command;
import io.loam.lab.control.Cluster;
import io.loam.lab.control.ClusterListener;
import io.loam.lab.fabric.FabricServers;
import io.loam.lab.network.LabName;
import io.loam.lab.network.LabNetwork;
import io.loam.lab.node.AgentAnswer;
import io.loam.lab.node.AgentSetup;
import io.loam.lab.node.LabNodes;
import io.loam.lab.process.PodSandbox;
import io.loam.lab.remains.LabRemains;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A lab that runs in this process: control plane, CA, DNS and everything that places and starts pods; each node's
/// agent and each container is a process of its own. Needs root. All methods block and may be called from any thread,
/// {@link #start} from a platform thread.
///
/// ```java
/// try (var lab = Lab.start("demo", List.of(Path.of("samples/shop")))) {
///     lab.awaitReady(Duration.ofSeconds(30));
///     lab.exec("shop/web", "curl", "-s", "http://cart/");
/// }
/// ```
public final class Lab implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Lab.class);
    private static final Duration READY_POLL = Duration.ofMillis(20);

    /// On a quiet machine it takes 1 to 2 s.
    private static final Duration AGENT_START = Duration.ofMinutes(1);

    private final LabName name;
    private final LabNetwork network;
    private final FabricServers servers;
    private final LabNodes nodes;
    private final Cluster cluster;
    private final DirectorySource source;

    private Lab(
            LabName name,
            LabNetwork network,
            FabricServers servers,
            LabNodes nodes,
            Cluster cluster,
            DirectorySource source) {
        this.name = name;
        this.network = network;
        this.servers = servers;
        this.nodes = nodes;
        this.cluster = cluster;
        this.source = source;
    }

    /// @param name see {@link LabName}; what a killed lab of this name left behind is removed first
    /// @param filesOrDirs Kubernetes YAML; later edits apply live
    /// @throws IOException if the network or one of the servers cannot be set up; nothing is left behind then
    public static Lab start(String name, List<Path> filesOrDirs) throws IOException {
        return start(name, filesOrDirs, AgentSetup.DEFAULT);
    }

    /// As {@link #start(String, List)}, with agents that are set up differently.
    ///
    /// @param agentEnvironment what agents read from their environment besides what the lab sets, or instead of
    ///     it, for example `SECRET_TTL` → `20s`
    public static Lab start(String name, List<Path> filesOrDirs, Map<String, String> agentEnvironment)
            throws IOException {
        return start(name, filesOrDirs, new AgentSetup(agentEnvironment, List.of(), Map.of()));
    }

    /// As {@link #start(String, List)}, with agents that are started differently.
    public static Lab start(String name, List<Path> filesOrDirs, AgentSetup agents) throws IOException {
        return start(name, filesOrDirs, agents, null);
    }

    /// As {@link #start(String, List, AgentSetup)}, with keys of somebody else's making.
    ///
    /// @param authority see {@link FabricServers#start}
    public static Lab start(String name, List<Path> filesOrDirs, AgentSetup agents, @Nullable Path authority)
            throws IOException {
        var lab = new LabName(name);
        var remains = LabRemains.of(lab);
        remains.claim();
        var opened = new ArrayList<AutoCloseable>();
        try {
            remains.removeNamespaces();
            var network = new LabNetwork(lab);
            network.createFabric();
            var servers = FabricServers.start(lab, authority);
            opened.add(servers);
            var nodes = new LabNodes(lab, servers, agents);
            opened.add(nodes);
            var cluster = new Cluster(lab, network, nodes, new Listener(servers, nodes));
            opened.add(cluster);
            cluster.start();
            var source = DirectorySource.start(filesOrDirs, state -> cluster.write(state.objects()));
            opened.add(source);
            cluster.write(source.current().objects());
            LOG.info("lab={} started from {}", name, filesOrDirs);
            return new Lab(lab, network, servers, nodes, cluster, source);
        } catch (IOException | RuntimeException e) {
            for (var part : opened.reversed()) {
                try {
                    part.close();
                } catch (Exception again) { // declared by AutoCloseable; none of ours throws a checked one
                    e.addSuppressed(again);
                }
            }
            remains.removeWhatIsLeft();
            throw e;
        }
    }

    private record Listener(FabricServers servers, LabNodes nodes) implements ClusterListener {
        @Override
        public void changed(ClusterState state) {
            servers.publish(state);
            nodes.follow(state);
        }

        @Override
        public CompletionStage<Void> known() {
            return servers.confirmed();
        }
    }

    public LabName name() {
        return name;
    }

    /// Waits until every pod that was asked for is ready (or has done its work) and every change so far has reached
    /// every node agent.
    ///
    /// @throws IOException if that is not so in time; the message says what is pending
    public void awaitReady(Duration atMost) throws IOException {
        long deadline = System.nanoTime() + atMost.toNanos();
        var pending = pending();
        while (!pending.isEmpty()) {
            if (System.nanoTime() - deadline > 0) {
                throw new IOException("lab " + name + " is not ready after " + atMost.toSeconds() + " s: "
                        + String.join("; ", pending));
            }
            try {
                Thread.sleep(READY_POLL);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
            pending = pending();
        }
    }

    /// What {@link #awaitReady} still waits for, one sentence each.
    public List<String> pending() {
        var pending = new ArrayList<>(cluster.view().pending());
        pending.addAll(nodes.pending());
        pending.addAll(servers.pending(nodes.names()));
        return pending;
    }

    /// What is written and what runs.
    public ClusterState state() {
        return cluster.view().state();
    }

    /// The mesh as agents are told.
    public CompiledMesh mesh() {
        return servers.mesh();
    }

    /// The pods that were placed, those that are ending included.
    public Collection<RunningPod> pods() {
        return state().pods();
    }

    /// @param pod `namespace/name`, or the name alone where it is unique; may be a Deployment: its first ready pod
    /// @throws IllegalArgumentException if there is none, or several
    public RunningPod pod(String pod) {
        var slash = pod.indexOf('/');
        var podName = pod.substring(slash + 1);
        var candidates = pods().stream()
                .filter(running -> slash < 0 || running.namespace().equals(pod.substring(0, slash)))
                .toList();
        var named = candidates.stream()
                .filter(running -> running.name().equals(podName))
                .toList();
        if (named.isEmpty()) {
            named = candidates.stream()
                    .filter(running ->
                            running.owner() != null && running.owner().name().equals(podName))
                    .toList();
        }
        if (named.isEmpty()) {
            throw new IllegalArgumentException("no pod or deployment '" + pod + "' (there are: "
                    + String.join(
                            ", ", pods().stream().map(Lab::fullName).sorted().toList()) + ")");
        }
        var namespaces =
                named.stream().map(RunningPod::namespace).distinct().sorted().toList();
        if (namespaces.size() > 1) {
            throw new IllegalArgumentException("'" + pod + "' is in several namespaces: say which: "
                    + String.join(
                            ", ",
                            namespaces.stream()
                                    .map(namespace -> namespace + "/" + podName)
                                    .toList()));
        }
        return named.stream()
                .min(Comparator.comparing(RunningPod::terminating)
                        .thenComparing(running -> !running.ready())
                        .thenComparing(RunningPod::name))
                .orElseThrow();
    }

    private static String fullName(RunningPod pod) {
        return pod.namespace() + "/" + pod.name();
    }

    /// What is wrong with the files.
    public List<Problem> problems() {
        var problems = new LinkedHashSet<>(source.current().problems());
        problems.addAll(servers.problems());
        return List.copyOf(problems);
    }

    /// Runs a program inside a pod: its network, its host name, its files in `/etc`; at most 60 s.
    ///
    /// @param pod as {@link #pod}
    public Command.Result exec(String pod, String... command) throws IOException {
        var argv = new ArrayList<>(enter(pod));
        argv.addAll(List.of(command));
        return Command.result(argv, "", Duration.ofMinutes(1));
    }

    /// What to put before a command so that it runs inside the pod, as its first container does.
    public List<String> enter(String pod) {
        var running = pod(pod);
        return enter(running, running.pod().spec().containers().getFirst().name());
    }

    /// @throws IllegalArgumentException if the pod has no such container
    public List<String> enter(RunningPod pod, String container) {
        requireContainer(pod, container);
        return sandbox(pod).enter(container);
    }

    /// Where the output of a container goes.
    public Path log(String pod, String container) {
        return log(pod(pod), container);
    }

    public Path log(RunningPod pod, String container) {
        requireContainer(pod, container);
        return sandbox(pod).log(container);
    }

    private static void requireContainer(RunningPod pod, String container) {
        var spec = pod.pod().spec();
        var names = new ArrayList<String>();
        spec.initContainers().forEach(one -> names.add(one.name()));
        spec.containers().forEach(one -> names.add(one.name()));
        if (!names.contains(container)) {
            throw new IllegalArgumentException("pod " + fullName(pod) + " has no container '" + container
                    + "' (it has: " + String.join(", ", names) + ")");
        }
    }

    private PodSandbox sandbox(RunningPod pod) {
        var sandbox = cluster.view().sandboxes().get(pod.uid());
        if (sandbox == null) {
            throw new IllegalArgumentException("pod " + fullName(pod) + " has no network yet, try again in a moment");
        }
        return sandbox;
    }

    /// The network namespace of a node (`/run/netns/…`); its uplink is `eth0`, its agent listens there.
    public Path nodeNetns(String node) {
        return LabName.netnsPath(name.nodeNetns(node));
    }

    /// The network namespace of a pod; its link is `eth0`.
    public Path podNetns(String pod) {
        return sandbox(pod(pod)).netns();
    }

    /// The namespace nodes are linked through; holds control plane, CA, DNS and the outside (203.0.113.1,
    /// 2001:db8:113::1).
    public Path fabricNetns() {
        return LabName.netnsPath(name.fabricNetns());
    }

    /// What the node's agent printed, access log included.
    public Path agentLog(String node) {
        return name.stateDir().resolve("nodes").resolve(node).resolve("agent.log");
    }

    /// The process of the node's agent at the moment.
    ///
    /// @throws IllegalStateException if it does not run; it is started again
    public ProcessHandle agent(String node) {
        return nodes.agent(node)
                .orElseThrow(() -> new IllegalStateException(
                        "the agent of node " + node + " does not run (see " + agentLog(node) + ")"));
    }

    public Set<String> nodes() {
        return Set.copyOf(nodes.names());
    }

    /// Asks the admin endpoint of the node's agent.
    ///
    /// @param path with its query, encoded
    /// @throws IOException if it does not answer within 8 s
    /// @throws IllegalArgumentException if there is no such node
    public AgentAnswer askAgent(String node, String method, String path) throws IOException {
        return nodes.askAgent(node, method, path);
    }

    /// Replaces the node's agent as an upgrade does: a second one starts beside it, takes the pods and their
    /// listeners over, and when it is ready the first one gets SIGTERM. That one keeps its open connections
    /// until its drain deadline (`CONNECTION_TERMINATION_DEADLINE`).
    ///
    /// @param changes to what agents of this node read from their environment, from now on
    /// @return the agent that drains, empty if none was running
    /// @throws IOException if the second one is not ready within a minute; the first one stays then
    public Optional<ProcessHandle> replaceAgent(String node, Map<String, String> changes) throws IOException {
        var since = Instant.now();
        return nodes.replaceAgent(node, changes, () -> servers.hasAgentSince(node, since), AGENT_START);
    }

    /// Takes the carrier from a node's uplink: packets are lost both ways until {@link #heal}.
    public void cut(String node) throws IOException {
        network.cut(node);
    }

    public void heal(String node) throws IOException {
        network.heal(node);
    }

    /// Ends everything and leaves nothing behind.
    public void stop() throws IOException {
        source.close();
        cluster.close();
        nodes.close();
        servers.close();
        LabRemains.of(name).removeWhatIsLeft();
        LOG.info("lab={} stopped", name);
    }

    @Override
    public void close() throws IOException {
        stop();
    }

    /// As {@link #stop}, also for a lab of another process, also where that process or others were killed.
    public static void down(String name) throws IOException {
        LabRemains.of(new LabName(name)).remove();
    }

    /// Every lab that has left something on this machine, running or not.
    public static Set<String> list() throws IOException {
        return LabRemains.labs();
    }
}
