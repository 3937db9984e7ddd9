package io.loam.agent.workload;

import io.loam.agent.pod.LocalPod;
import io.loam.agent.zds.PodLifecycle;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.config.SocketConfig;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The pods of this node that are in the mesh, as the privileged half names them (wire reference, 6.4, rules 3, 6 and
/// 7). Thread-safe; the lock is held while listeners are opened, which no event loop waits for.
public final class WorkloadProxies implements PodLifecycle {
    private static final Logger log = LoggerFactory.getLogger(WorkloadProxies.class);
    private static final String PENDING = "workload proxies";

    private final SocketConfig sockets;
    private final Starter starter;
    private final Readiness readiness;
    private final WorkloadMetrics metrics;
    private final Map<String, RunningProxy> active = new HashMap<>();

    /// Pods whose listeners could not be opened; their namespace is kept for the next try.
    private final Map<String, LocalPod> pending = new HashMap<>();

    /// Named since the connection to the privileged half began; the rest goes when its snapshot is complete.
    private final Set<String> mentioned = new HashSet<>();

    private boolean draining;

    public WorkloadProxies(WorkloadServices services, Readiness readiness, PrometheusRegistry registry) {
        this(services.sockets(), pod -> start(pod, services), readiness, registry);
    }

    private static RunningProxy start(LocalPod pod, WorkloadServices services) throws IOException {
        var _ = PodPolicies.workOut(pod, services.inbound().mesh().current()); // not with its first connection
        return WorkloadProxy.start(pod, services);
    }

    /// @param starter opens the listeners of a pod
    WorkloadProxies(SocketConfig sockets, Starter starter, Readiness readiness, PrometheusRegistry registry) {
        this.sockets = sockets;
        this.starter = starter;
        this.readiness = readiness;
        this.metrics = new WorkloadMetrics(registry);
    }

    @Override
    public synchronized void connected() {
        mentioned.clear();
    }

    @Override
    public synchronized void add(String uid, WorkloadInfo info, Netns netns) throws IOException {
        mentioned.add(uid);
        var running = active.get(uid);
        if (running != null && running.pod().netnsInode() == netns.inode()) {
            netns.close(); // told again what we know
            return;
        }
        leave(uid); // another namespace: the pod was restarted under its old UID
        if (draining) {
            netns.close();
            throw new IOException("this agent is shutting down");
        }
        start(new LocalPod(uid, info, netns, sockets));
    }

    @Override
    public synchronized void keep(String uid) throws IOException {
        mentioned.add(uid);
        if (!active.containsKey(uid) && !pending.containsKey(uid)) {
            throw new IOException("pod " + uid + " is not known here (expected: an add with its namespace)");
        }
    }

    @Override
    public synchronized void remove(String uid) {
        mentioned.remove(uid);
        leave(uid);
    }

    private void leave(String uid) {
        var proxy = active.remove(uid);
        if (proxy != null) {
            proxy.stop();
            metrics.stopped.inc();
        }
        var waiting = pending.remove(uid);
        if (waiting != null) {
            waiting.release();
        }
        count();
    }

    @Override
    public synchronized void snapshotComplete() {
        var gone = new HashSet<>(active.keySet());
        gone.addAll(pending.keySet());
        gone.removeAll(mentioned);
        gone.forEach(this::remove);
        log.info("pods known active={} pending={} left={}", active.size(), pending.size(), gone.size());
    }

    @Override
    public synchronized void retryPending() {
        for (var pod : List.copyOf(pending.values())) {
            pending.remove(pod.uid());
            try {
                start(pod);
            } catch (IOException | RuntimeException e) { // the other pods get their turn
                log.warn("pod still pending pod={}", pod, e);
            }
        }
    }

    private void start(LocalPod pod) throws IOException {
        try {
            active.put(pod.uid(), starter.start(pod));
            metrics.started.inc();
        } catch (IOException | RuntimeException e) {
            pending.put(pod.uid(), pod);
            throw e;
        } finally {
            count();
        }
    }

    private void count() {
        metrics.active.set(active.size());
        metrics.pending.set(pending.size());
        if (pending.isEmpty()) {
            readiness.done(PENDING);
        } else {
            readiness.pending(PENDING);
        }
    }

    /// The process ends: all pods stop accepting, none is taken on any more.
    public synchronized void drain() {
        draining = true;
        active.values().forEach(RunningProxy::stop);
    }

    /// New connections of a pod get new tunnels; those that are open stay where they are. Not for event loops.
    ///
    /// @param name `namespace/name`
    /// @return whether there is such a pod
    public boolean retireTunnels(String name) {
        var of = running().stream()
                .filter(proxy -> name.equals(proxy.pod().info().namespace() + "/"
                        + proxy.pod().info().name()))
                .toList();
        of.forEach(RunningProxy::retireTunnels); // waits for event loops: not under the lock
        return !of.isEmpty();
    }

    private synchronized List<RunningProxy> running() {
        return List.copyOf(active.values());
    }

    /// All pods there are now.
    public synchronized List<LocalPod> pods() {
        return active.values().stream().map(RunningProxy::pod).toList();
    }

    /// For the configuration dump.
    public synchronized List<PodState> states() {
        var states = new ArrayList<PodState>();
        active.values().forEach(proxy -> states.add(new PodState(proxy.pod(), true)));
        pending.values().forEach(pod -> states.add(new PodState(pod, false)));
        return states;
    }

    /// Opens the listeners of a pod.
    interface Starter {
        /// @throws IOException if they cannot be opened; the pod is still the caller's
        RunningProxy start(LocalPod pod) throws IOException;
    }

    /// A pod that is served.
    interface RunningProxy {
        LocalPod pod();

        /// Nothing new is accepted, running connections go on. Does nothing the second time.
        void stop();

        /// See {@link WorkloadProxies#retireTunnels}.
        void retireTunnels();
    }

    /// @param up whether its listeners are open
    public record PodState(LocalPod pod, boolean up) {}
}
