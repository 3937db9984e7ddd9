package io.loam.agent.connections;

import io.loam.agent.pod.LocalPod;
import io.loam.agent.pod.Quota;
import io.loam.runtime.config.LimitsConfig;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/// What connections of a pod, and of the node, may hold: sockets and dials in progress (hazards, rule 6). The new one
/// is refused and counted by workload, the old ones are kept. Handshakes have limits of their own. Thread-safe.
public final class ConnectionLimits {
    private final LimitsConfig config;
    private final Counter refused;
    private final Quota sockets = new Quota();
    private final Quota dials = new Quota();

    public ConnectionLimits(LimitsConfig config, PrometheusRegistry registry) {
        this.config = config;
        refused = Counter.builder()
                .name("loam_limit_refusals")
                .help("Connections refused because a limit was reached, by workload and limit")
                .labelNames("namespace", "service_account", "limit")
                .register(registry);
        GaugeWithCallback.builder()
                .name("loam_connection_sockets")
                .help("Sockets that connections, tunnels and listeners hold")
                .callback(callback -> callback.call(sockets.held()))
                .register(registry);
    }

    /// A socket for a connection or a tunnel of the pod.
    ///
    /// @return whether there is one; then {@link #giveSocket} has to follow, once
    public boolean takeSocket(LocalPod pod) {
        return take(pod, pod.heldSockets(), config.workloadSockets(), sockets, config.sockets(), "sockets");
    }

    public void giveSocket(LocalPod pod) {
        pod.heldSockets().giveBack();
        sockets.giveBack();
    }

    /// A listener of a pod is open: what it holds is not there for connections.
    public void holdListener() {
        sockets.hold();
    }

    /// The counterpart of {@link #holdListener}.
    public void giveListener() {
        sockets.giveBack();
    }

    /// @return whether one more dial may begin; then {@link #giveDial} has to follow, once
    boolean takeDial(LocalPod pod) {
        return take(pod, pod.heldDials(), config.workloadDials(), dials, config.dials(), "dials");
    }

    void giveDial(LocalPod pod) {
        pod.heldDials().giveBack();
        dials.giveBack();
    }

    /// The kernel has no port left to call somebody from in the pod's namespace (hazard P12): its limit,
    /// counted as ours.
    void outOfSources(LocalPod pod) {
        count(pod, "source_ports");
    }

    private boolean take(LocalPod pod, Quota ofPod, int podLimit, Quota ofNode, int nodeLimit, String what) {
        if (!ofPod.take(podLimit)) {
            count(pod, "workload_" + what);
            return false;
        }
        if (!ofNode.take(nodeLimit)) {
            ofPod.giveBack();
            count(pod, what);
            return false;
        }
        return true;
    }

    private void count(LocalPod pod, String limit) {
        refused.labelValues(pod.info().namespace(), pod.info().serviceAccount(), limit)
                .inc();
    }
}
