package io.loam.agent.workload;

import io.loam.agent.pod.LocalPod;
import io.loam.agent.zds.PodLifecycle;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.zds.HeldListeners;
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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The pods of this node that are in the mesh, as the privileged half names them (wire reference, 6.4, rules
/// 3, 6 and 7). Thread-safe; the lock is held while listeners are opened, which no event loop waits for.
public final class WorkloadProxies implements PodLifecycle {
    private static final Logger log = LoggerFactory.getLogger(WorkloadProxies.class);
    private static final String PENDING = "workload proxies";

    /// Until the pods that were there at the start are served: whoever replaces an agent may end it only then.
    private static final String LISTENERS = "listeners";

    private final SocketConfig sockets;
    private final Starter starter;

    /// UIDs of pods that agents died of (hazard P5).
    private final Set<String> isolated;

    private final Readiness readiness;
    private final WorkloadMetrics metrics;
    private final Map<String, RunningProxy> active = new HashMap<>();

    /// Pods whose listeners could not be opened; their namespace is kept for the next try.
    private final Map<String, LocalPod> pending = new HashMap<>();

    /// Of the pending ones, those that a privileged half which keeps listeners will offer again, with what
    /// it keeps. A try of our own would open listeners beside those.
    private final Set<String> offeredAgain = new HashSet<>();

    /// Named since the connection to the privileged half began; the rest goes when its snapshot is complete.
    private final Set<String> mentioned = new HashSet<>();

    private boolean draining;

    /// @param isolated UIDs of pods that are not served
    public WorkloadProxies(
            WorkloadServices services, Set<String> isolated, Readiness readiness, PrometheusRegistry registry) {
        this(services.sockets(), (pod, held) -> start(pod, services, held), isolated, readiness, registry);
    }

    private static RunningProxy start(LocalPod pod, WorkloadServices services, HeldListeners held) throws IOException {
        var _ = PodPolicies.workOut(pod, services.inbound().mesh().current()); // not with its first connection
        return WorkloadProxy.start(pod, services, held);
    }

    /// @param starter opens the listeners of a pod
    WorkloadProxies(
            SocketConfig sockets,
            Starter starter,
            Set<String> isolated,
            Readiness readiness,
            PrometheusRegistry registry) {
        this.sockets = sockets;
        this.starter = starter;
        this.isolated = Set.copyOf(isolated);
        this.readiness = readiness;
        this.metrics = new WorkloadMetrics(registry);
        this.metrics.isolated.set(isolated.size());
        readiness.pending(LISTENERS);
    }

    @Override
    public synchronized void connected() {
        mentioned.clear();
    }

    @Override
    public synchronized @Nullable HeldListeners add(
            String uid, WorkloadInfo info, Netns netns, @Nullable HeldListeners held) throws IOException {
        try (var unused = held == null ? new HeldListeners() : held) { // what is not taken out is closed
            mentioned.add(uid);
            if (isolated.contains(uid)) {
                netns.close();
                log.error("not served, agents died of it pod={}/{} uid={}", info.namespace(), info.name(), uid);
                return held == null ? null : new HeldListeners(); // none to keep: who connects is refused
            }
            var known = unused.inodes();
            var running = active.get(uid);
            if (running != null && running.pod().netnsInode() == netns.inode()) {
                netns.close(); // told again what we know
                if (draining) {
                    return null; // a successor has them, or will get them
                }
                if (!unused.isEmpty()) {
                    running.adopt(unused);
                }
            } else {
                leave(uid); // another namespace: the pod was restarted under its old UID
                if (draining) {
                    netns.close();
                    throw new IOException("this agent is shutting down");
                }
                running = start(new LocalPod(uid, info, netns, sockets), unused, held != null);
            }
            return held == null ? null : unlessKept(running.listeners(held.datagramsKept()), known);
        }
    }

    private static @Nullable HeldListeners unlessKept(HeldListeners own, Set<Long> kept) {
        if (own.inodes().equals(kept)) {
            own.close();
            return null;
        }
        return own;
    }

    @Override
    public synchronized void keep(String uid) throws IOException {
        mentioned.add(uid);
        if (!active.containsKey(uid) && !pending.containsKey(uid) && !isolated.contains(uid)) {
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
        offeredAgain.remove(uid);
        count();
    }

    @Override
    public synchronized void snapshotComplete() {
        var gone = new HashSet<>(active.keySet());
        gone.addAll(pending.keySet());
        gone.removeAll(mentioned);
        gone.forEach(this::remove);
        var accepts = active.values().stream().map(proxy -> proxy.accepts().toCompletableFuture());
        var _ = CompletableFuture.allOf(accepts.toArray(CompletableFuture[]::new))
                .thenRun(() -> readiness.done(LISTENERS));
        log.info("pods known active={} pending={} left={}", active.size(), pending.size(), gone.size());
    }

    @Override
    public synchronized void retryPending() {
        if (draining) {
            return; // a listener that opens now would be closed by nobody
        }
        for (var pod : List.copyOf(pending.values())) {
            if (offeredAgain.contains(pod.uid())) {
                continue;
            }
            pending.remove(pod.uid());
            try {
                start(pod, new HeldListeners(), false);
            } catch (IOException | RuntimeException | Error e) { // the other pods get their turn
                log.warn("pod still pending pod={}", pod, e);
            }
        }
    }

    private RunningProxy start(LocalPod pod, HeldListeners held, boolean again) throws IOException {
        try {
            var started = starter.start(pod, held);
            active.put(pod.uid(), started);
            metrics.started.inc();
            return started;
        } catch (IOException | RuntimeException | Error e) {
            pending.put(pod.uid(), pod);
            if (again) {
                offeredAgain.add(pod.uid());
            }
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
        active.values().forEach(RunningProxy::drain);
    }

    /// Whether a peer has a tunnel to one of the pods, and may open streams until it has taken notice of the
    /// drain; or a program of one of them waits for the answer to its query.
    public synchronized boolean areInUse() {
        return active.values().stream().anyMatch(RunningProxy::isInUse);
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
        /// @param held as for {@link RunningProxy#adopt}
        /// @throws IOException if they cannot be opened; the pod is still the caller's
        RunningProxy start(LocalPod pod, HeldListeners held) throws IOException;
    }

    /// A pod that is served.
    interface RunningProxy {
        LocalPod pod();

        /// Accepts from these sockets as well, as far as it does not do so already.
        ///
        /// @param held what is taken is taken out; the rest stays the caller's
        /// @throws IOException if one of them is not a listener of this pod
        void adopt(HeldListeners held) throws IOException;

        /// Descriptors of its own for all listeners, owned by the caller, who has them kept.
        ///
        /// @param datagrams whether sockets for datagrams are kept as well
        HeldListeners listeners(boolean datagrams) throws IOException;

        /// Completes when connections are accepted, or never will be.
        CompletionStage<Void> accepts();

        /// The process ends: nothing new is accepted; what was accepted gets what it needs. Does nothing the
        /// second time.
        void drain();

        /// Whether peers have tunnels to the pod, or are about to, or its programs wait for names.
        boolean isInUse();

        /// The pod leaves: nothing new is accepted, running connections go on. Does nothing the second time.
        void stop();

        /// See {@link WorkloadProxies#retireTunnels}.
        void retireTunnels();
    }

    /// @param up whether its listeners are open
    public record PodState(LocalPod pod, boolean up) {}
}
