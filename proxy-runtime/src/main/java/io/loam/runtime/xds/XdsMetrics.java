package io.loam.runtime.xds;

import io.grpc.Status;
import io.loam.runtime.time.Timer;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// What the control plane sends us, and how often it stops (wire reference, 8.1).
final class XdsMetrics {
    private final Counter terminations;
    private final Counter messages;
    private final Counter bytes;
    private final Counter rejected;
    private final Gauge fromDisk;

    /// Null: in step, or nothing known yet.
    private volatile @Nullable Instant asOf;

    private final Timer clock;

    /// Of the client's thread.
    private boolean wasInStep;

    XdsMetrics(PrometheusRegistry registry, Timer clock) {
        this.clock = clock;
        terminations = Counter.builder()
                .name("istio_xds_connection_terminations")
                .help("Ended streams to the control plane")
                .labelNames("reason")
                .register(registry);
        messages = counter("istio_xds_message", "Messages from the control plane", registry);
        bytes = counter("istio_xds_message_bytes", "Their size", registry);
        rejected = counter("loam_xds_rejected_resources", "Resources that could not be read", registry);
        fromDisk = Gauge.builder()
                .name("loam_mesh_from_disk")
                .help("1 while a mesh from disk is in force, because the control plane was not reached since the start")
                .register(registry);
        GaugeWithCallback.builder()
                .name("loam_mesh_age_seconds")
                .help("Since when the mesh may differ from what the control plane would say; 0 in step with it")
                .callback(value -> {
                    var then = asOf;
                    var age = then == null
                            ? 0.0
                            : Duration.between(then, clock.now()).toMillis() / 1000.0;
                    value.call(Math.max(0, age)); // the clock may have been set
                })
                .register(registry);
    }

    void inStep() {
        asOf = null;
        fromDisk.set(0);
        wasInStep = true;
    }

    void outOfStep() {
        if (wasInStep) {
            wasInStep = false;
            asOf = clock.now();
        }
    }

    void fellBack(Instant to) {
        asOf = to;
        fromDisk.set(1);
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
