package io.loam.agent.dns;

import io.loam.model.workload.Workload;
import io.loam.runtime.metrics.LiveNames;
import io.loam.runtime.metrics.SeriesExpiry;
import io.netty.handler.codec.dns.DnsRecordType;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The series of the DNS proxy (wire reference, 8.1). Labels are bounded: types that have no name are `other`.
/// Series of services that the mesh does not know any more are forgotten, see {@link SeriesExpiry}; a query in that
/// moment may go uncounted.
public final class DnsMetrics implements SeriesExpiry.Expiring {
    private static final String[] LABELS = {
        "request_query_type", "request_protocol", "source_canonical_service", "source_canonical_revision"
    };
    /// Where these two stand among the labels.
    private static final int SERVICE = 2;

    private static final int REVISION = 3;
    private static final String UNKNOWN = "unknown";

    private final Counter requests;
    private final Counter upstreamRequests;
    private final Counter upstreamFailures;
    private final Histogram upstreamDuration;
    private final Counter refused;

    /// Who asked and is not in the mesh any more, and since when. Of the expiring thread.
    private final Map<List<String>, Instant> gone = new HashMap<>();

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

    @Override
    public int expire(LiveNames live, Instant now) {
        int forgotten = 0;
        for (var point : requests.collect().getDataPoints()) {
            var values = Arrays.stream(LABELS)
                    .map(label -> Objects.requireNonNull(point.getLabels().get(label)))
                    .toArray(String[]::new);
            var service = values[SERVICE];
            var revision = values[REVISION];
            var asker = List.of(service, revision);
            if (service.equals(UNKNOWN)
                    || live.isCanonicalService(service, revision.equals(UNKNOWN) ? "" : revision)
                    || live.isCanonicalService(service, revision)) {
                gone.remove(asker);
            } else if (isOver(gone.computeIfAbsent(asker, _ -> now), now)) {
                requests.remove(values);
                upstreamRequests.remove(values);
                upstreamFailures.remove(values);
                upstreamDuration.remove(values);
                forgotten++;
            }
        }
        gone.values().removeIf(since -> isOver(since, now));
        return forgotten;
    }

    private static boolean isOver(Instant since, Instant now) {
        return !since.plus(SeriesExpiry.RETENTION).isAfter(now);
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
