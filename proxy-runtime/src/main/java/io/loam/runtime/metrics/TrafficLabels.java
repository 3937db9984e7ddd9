package io.loam.runtime.metrics;

import io.loam.model.identity.SpiffeId;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import org.jspecify.annotations.Nullable;

/// What the series of one connection are named by.
///
/// @param sourcePrincipal from the TLS session, never from a header; null for plaintext
public record TrafficLabels(
        Reporter reporter,
        @Nullable Workload source,
        @Nullable Workload destination,
        @Nullable Service service,
        @Nullable SpiffeId sourcePrincipal,
        @Nullable SpiffeId destinationPrincipal,
        boolean mutualTls) {
    /// Where the reason stands among {@link #NAMES}.
    static final int FLAG = 21;

    /// From here on a series has the label only if its value is known (wire reference, 8.1: "when locality is known").
    static final int FIRST_OPTIONAL = 23;

    static final String[] NAMES = {
        "reporter",
        "source_workload",
        "source_canonical_service",
        "source_canonical_revision",
        "source_workload_namespace",
        "source_principal",
        "source_app",
        "source_version",
        "source_cluster",
        "destination_service",
        "destination_service_namespace",
        "destination_service_name",
        "destination_workload",
        "destination_canonical_service",
        "destination_canonical_revision",
        "destination_workload_namespace",
        "destination_principal",
        "destination_app",
        "destination_version",
        "destination_cluster",
        "request_protocol",
        "response_flags",
        "connection_security_policy",
        "source_region",
        "source_zone",
        "destination_region",
        "destination_zone",
    };
    private static final String UNKNOWN = "unknown";

    /// The values of {@link #NAMES}, "" where the label is left out.
    String[] values(FailureFlag flag) {
        return new String[] {
            reporter.label(),
            of(source == null ? "" : source.workloadName()),
            of(source == null ? "" : source.canonicalName()),
            of(source == null ? "" : source.canonicalRevision()),
            of(source == null ? "" : source.namespace()),
            principal(sourcePrincipal),
            of(source == null ? "" : source.canonicalName()),
            of(source == null ? "" : source.canonicalRevision()),
            of(source == null ? "" : source.clusterId()),
            of(service == null ? "" : service.hostname()),
            of(service == null ? "" : service.namespace()),
            of(service == null ? "" : service.name()),
            of(destination == null ? "" : destination.workloadName()),
            of(destination == null ? "" : destination.canonicalName()),
            of(destination == null ? "" : destination.canonicalRevision()),
            of(destination == null ? "" : destination.namespace()),
            principal(destinationPrincipal),
            of(destination == null ? "" : destination.canonicalName()),
            of(destination == null ? "" : destination.canonicalRevision()),
            of(destination == null ? "" : destination.clusterId()),
            "tcp",
            flag.label(),
            mutualTls ? "mutual_tls" : UNKNOWN,
            source == null ? "" : source.locality().region(),
            source == null ? "" : source.locality().zone(),
            destination == null ? "" : destination.locality().region(),
            destination == null ? "" : destination.locality().zone(),
        };
    }

    /// What all connections are counted under that exceed the limit of series.
    static String[] folded(Reporter reporter) {
        return new TrafficLabels(reporter, null, null, null, null, null, false).values(FailureFlag.NONE);
    }

    private static String of(String value) {
        return value.isEmpty() ? UNKNOWN : value;
    }

    private static String principal(@Nullable SpiffeId id) {
        return id == null ? UNKNOWN : id.toString();
    }
}
