package io.loam.agent.workload;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/// How many pods are served (wire reference, 8.1).
final class WorkloadMetrics {
    final Gauge active;
    final Gauge pending;
    final Gauge isolated;
    final Counter started;
    final Counter stopped;

    WorkloadMetrics(PrometheusRegistry registry) {
        active = gauge("workload_manager_active_proxy_count", "Pods with open listeners", registry);
        pending = gauge("workload_manager_pending_proxy_count", "Pods whose listeners could not be opened", registry);
        isolated = gauge("loam_isolated_pods", "Pods that are not served because agents died of them", registry);
        started = counter("workload_manager_proxies_started", "Pods taken into the mesh", registry);
        stopped = counter("workload_manager_proxies_stopped", "Pods that left the mesh", registry);
    }

    private static Gauge gauge(String name, String help, PrometheusRegistry registry) {
        return Gauge.builder().name(name).help(help).register(registry);
    }

    private static Counter counter(String name, String help, PrometheusRegistry registry) {
        return Counter.builder().name(name).help(help).register(registry);
    }
}
