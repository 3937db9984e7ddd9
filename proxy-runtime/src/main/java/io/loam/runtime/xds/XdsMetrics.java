package io.loam.runtime.xds;

import io.grpc.Status;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/// What the control plane sends us, and how often it stops (wire reference, 8.1).
final class XdsMetrics {
    private final Counter terminations;
    private final Counter messages;
    private final Counter bytes;
    private final Counter rejected;

    XdsMetrics(PrometheusRegistry registry) {
        terminations = Counter.builder()
                .name("istio_xds_connection_terminations")
                .help("Ended streams to the control plane")
                .labelNames("reason")
                .register(registry);
        messages = counter("istio_xds_message", "Messages from the control plane", registry);
        bytes = counter("istio_xds_message_bytes", "Their size", registry);
        rejected = counter("loam_xds_rejected_resources", "Resources that could not be read", registry);
    }

    private static Counter counter(String name, String help, PrometheusRegistry registry) {
        return Counter.builder().name(name).help(help).labelNames("url").register(registry);
    }

    void received(ResourceType type, int size) {
        messages.labelValues(type.url()).inc();
        bytes.labelValues(type.url()).inc(size);
    }

    void rejected(ResourceType type, int count) {
        rejected.labelValues(type.url()).inc(count);
    }

    /// Statuses that an ordinary disconnect has (wire reference, 4.1).
    private static String reasonOf(Status status) {
        return switch (status.getCode()) {
            case UNKNOWN, CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE -> "Reconnect";
            default -> "Error";
        };
    }

    /// @param established whether anything was received on the stream
    void terminated(Status status, boolean established) {
        var reason = status.isOk() ? "Complete" : !established ? "ConnectionError" : reasonOf(status);
        terminations.labelValues(reason).inc();
    }
}
