package io.loam.agent.dns;

import io.loam.model.workload.Workload;
import io.netty.handler.codec.dns.DnsRecordType;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The series of the DNS proxy (wire reference, 8.1). Labels are bounded: types that have no name are `other`.
public final class DnsMetrics {
    private static final String[] LABELS = {
        "request_query_type", "request_protocol", "source_canonical_service", "source_canonical_revision"
    };
    private static final String UNKNOWN = "unknown";

    private final Counter requests;
    private final Counter upstreamRequests;
    private final Counter upstreamFailures;
    private final Histogram upstreamDuration;
    private final Counter refused;

    public DnsMetrics(PrometheusRegistry registry) {
        requests = counter("istio_dns_requests", "DNS queries of pods", registry);
        upstreamRequests = counter("istio_dns_upstream_requests", "DNS queries passed on", registry);
        upstreamFailures = counter("istio_dns_upstream_failures", "DNS queries passed on without an answer", registry);
        upstreamDuration = Histogram.builder()
                .name("istio_dns_upstream_request_duration_seconds")
                .help("Time until a query that was passed on was answered or given up")
                .labelNames(LABELS)
                .classicOnly()
                .classicUpperBounds(0.0005, 0.001, 0.01, 0.1, 1, 5)
                .register(registry);
        refused = Counter.builder()
                .name("loam_dns_refused")
                .help("DNS queries without the answer that was asked for, by reason")
                .labelNames("reason", "request_protocol")
                .register(registry);
    }

    private static Counter counter(String name, String help, PrometheusRegistry registry) {
        return Counter.builder().name(name).help(help).labelNames(LABELS).register(registry);
    }

    void request(int type, Transport transport, @Nullable Workload source) {
        requests.labelValues(labels(type, transport, source)).inc();
    }

    void forwarded(int type, Transport transport, Workload source) {
        upstreamRequests.labelValues(labels(type, transport, source)).inc();
    }

    void forwardedEnd(int type, Transport transport, Workload source, boolean answered, long nanos) {
        var labels = labels(type, transport, source);
        upstreamDuration.labelValues(labels).observe((double) nanos / TimeUnit.SECONDS.toNanos(1));
        if (!answered) {
            upstreamFailures.labelValues(labels).inc();
        }
    }

    void refused(Refusal reason, Transport transport) {
        refused.labelValues(reason.label(), transport.label()).inc();
    }

    private static String[] labels(int type, Transport transport, @Nullable Workload source) {
        var name = DnsRecordType.valueOf(type).name();
        return new String[] {
            name.equals("UNKNOWN") ? "other" : name,
            transport.label(),
            source == null || source.canonicalName().isEmpty() ? UNKNOWN : source.canonicalName(),
            source == null || source.canonicalRevision().isEmpty() ? UNKNOWN : source.canonicalRevision()
        };
    }
}
