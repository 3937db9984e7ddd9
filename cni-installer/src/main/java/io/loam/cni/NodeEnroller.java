package io.loam.cni;

import io.loam.cni.command.Commands;
import io.loam.cni.command.ProcessCommands;
import io.loam.cni.rules.ProbeRules;
import io.loam.cni.zds.ZdsServer;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/// Brings the pods of one node into the mesh and takes them out again: rules in the pod, its namespace to the node
/// proxy, its addresses to the probe rules of the node.
///
/// Blocking work happens on virtual threads of its own; all methods may be called from any thread. {@link #close}
/// leaves rules and pods as they are, and a successor finds its way: rules are replaced in place, proxies reconnect.
public final class NodeEnroller implements AutoCloseable {
    private final NodeEnrollerConfig config;
    private final EnrolmentListener listener;
    private final Commands commands;
    private final ProbeRules probes;
    private final RedirectedConnections connections = new RedirectedConnections();
    private final ExecutorService threads = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("cni-pod-", 0).factory());
    private final ZdsServer zds;
    private final Map<String, PodEnrolment> pods = new HashMap<>(); // guarded by this

    private NodeEnroller(NodeEnrollerConfig config, Commands commands, EnrolmentListener listener) throws IOException {
        this.config = config;
        this.listener = listener;
        this.commands = commands;
        this.probes = new ProbeRules(commands.inside(config.nodeNetns()), config.kubeletUid());
        probes.install();
        this.zds = ZdsServer.listen(config.zdsSocket(), new Answers());
    }

    /// Installs the node's probe rules and listens for node proxies.
    public static NodeEnroller start(NodeEnrollerConfig config, EnrolmentListener listener) throws IOException {
        return start(config, new ProcessCommands(config.commandDeadline()), listener);
    }

    /// @param commands where faults are to be injected
    static NodeEnroller start(NodeEnrollerConfig config, Commands commands, EnrolmentListener listener)
            throws IOException {
        return new NodeEnroller(config, commands, listener);
    }

    /// Brings a pod in, or up to date if it is in already. What fails is retried until it works or the pod is
    /// withdrawn.
    ///
    /// @return completes when the pod is enrolled; give it a time limit where a container waits for it
    public synchronized CompletionStage<Void> enrol(EnrolledPod pod) {
        var current = pods.get(pod.uid());
        if (current != null && !current.isWithdrawn() && current.pod().equals(pod)) {
            return current.enrolled().minimalCompletionStage();
        }
        if (current != null) {
            current.supersede();
        }
        var next = new PodEnrolment(pod, current, config, commands, zds, probes, connections, listener);
        pods.put(pod.uid(), next);
        threads.execute(() -> {
            next.run();
            forget(next);
        });
        return next.enrolled().minimalCompletionStage();
    }

    /// Takes a pod out. Its open connections live on through the proxy; when the last has ended, the rest of its rules
    /// goes too. For a pod that keeps running, tell its peers first: they speak HBONE to it until they know.
    ///
    /// @return completes when nothing new is captured and the proxies know
    public CompletionStage<Void> withdraw(String uid) {
        PodEnrolment current;
        synchronized (this) {
            current = pods.get(uid);
            if (current == null) {
                return CompletableFuture.completedStage(null);
            }
            current.withdraw();
        }
        return current.left().minimalCompletionStage();
    }

    /// How many node proxies are connected.
    public int proxies() {
        return zds.proxies();
    }

    /// Whether a process is connected as a node proxy and has taken all pods.
    public boolean serves(long pid) {
        return zds.serves(pid);
    }

    @Override
    public void close() {
        threads.shutdownNow();
        zds.close();
        connections.close();
    }

    private synchronized void forget(PodEnrolment enrolment) {
        pods.remove(enrolment.pod().uid(), enrolment);
    }

    private synchronized List<PodEnrolment> enrolments() {
        return List.copyOf(pods.values());
    }

    private final class Answers implements ZdsServer.Observer {
        @Override
        public void answered(String uid, String error) {
            PodEnrolment enrolment;
            synchronized (NodeEnroller.this) {
                enrolment = pods.get(uid);
            }
            if (enrolment != null) {
                enrolment.answered(error);
            }
        }

        @Override
        public void connected() {
            enrolments().forEach(PodEnrolment::retryNow);
        }
    }
}
