package io.loam.agent.dns;

import io.loam.model.workload.Workload;
import io.loam.runtime.metrics.LiveNames;
import io.loam.runtime.metrics.SeriesExpiry;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// `istio_on_demand_dns_total` (wire reference, 8.1): connections that needed an address for a host name.
/// Series are bounded by the mesh: pods of this node, and host names of endpoints; those that it does not know
/// any more are forgotten, see {@link SeriesExpiry}. A connection in that moment may go uncounted.
public final class HostMetrics implements SeriesExpiry.Expiring {
    private static final String[] LABELS = {
        "source_workload",
        "source_canonical_service",
        "source_canonical_revision",
        "source_workload_namespace",
        "source_principal",
        "source_app",
        "source_version",
        "source_cluster",
        "hostname"
    };
    /// Where these stand among the labels.
    private static final int SERVICE = 1;

    private static final int REVISION = 2;
    private static final int HOSTNAME = 8;
    private static final String UNKNOWN = "unknown";

    private final Counter lookups;

    /// Series whose names are gone, and since when. Of the expiring thread.
    private final Map<List<String>, Instant> gone = new HashMap<>();

    public HostMetrics(PrometheusRegistry registry) {
        lookups = Counter.builder()
                .name("istio_on_demand_dns")
                .help("Connections to endpoints whose host name the agent resolved")
                .labelNames(LABELS)
                .register(registry);
    }

    void lookup(Workload source, String host) {
        var principal = source.provableIdentity();
        var service = of(source.canonicalName());
        var revision = of(source.canonicalRevision());
        lookups.labelValues(
                        of(source.workloadName()),
                        service,
                        revision,
                        of(source.namespace()),
                        principal.isEmpty() ? UNKNOWN : principal.get().toString(),
                        service,
                        revision,
                        of(source.clusterId()),
                        host)
                .inc();
    }

    @Override
    public int expire(LiveNames live, Instant now) {
        int forgotten = 0;
        for (var point : lookups.collect().getDataPoints()) {
            var values = Arrays.stream(LABELS)
                    .map(label -> Objects.requireNonNull(point.getLabels().get(label)))
                    .toList();
            if (isLive(values, live)) {
                gone.remove(values);
            } else if (isOver(gone.computeIfAbsent(values, _ -> now), now)) {
                lookups.remove(values.toArray(String[]::new));
                gone.remove(values);
                forgotten++;
            }
        }
        return forgotten;
    }

    private static boolean isLive(List<String> values, LiveNames live) {
        return live.isHostname(values.get(HOSTNAME))
                && live.isCanonicalService(known(values.get(SERVICE)), known(values.get(REVISION)));
    }

    private static boolean isOver(Instant since, Instant now) {
        return !since.plus(SeriesExpiry.RETENTION).isAfter(now);
    }

    private static String of(String value) {
        return value.isEmpty() ? UNKNOWN : value;
    }

    private static String known(String label) {
        return label.equals(UNKNOWN) ? "" : label;
    }
}
