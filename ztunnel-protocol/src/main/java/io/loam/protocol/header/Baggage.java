package io.loam.protocol.header;

import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import java.util.Locale;

/// What a peer says about a workload: in a request about the source, in a response about the destination. Good for
/// telemetry only, since nothing proves it. "" where unknown.
///
/// @param workloadType `deployment`, `cronjob`, `job` or `pod`; "" if no name was given
/// @param workloadName of what owns the pod
/// @param serviceName canonical name
/// @param serviceVersion canonical revision
public record Baggage(
        String cluster,
        String namespace,
        String workloadType,
        String workloadName,
        String serviceName,
        String serviceVersion,
        String region,
        String zone) {
    public static final String HEADER = "baggage";
    public static final Baggage NONE = new Baggage("", "", "", "", "", "", "", "");

    private static final String CLUSTER = "k8s.cluster.name";
    private static final String NAMESPACE = "k8s.namespace.name";
    private static final String SERVICE_NAME = "service.name";
    private static final String SERVICE_VERSION = "service.version";
    private static final String REGION = "cloud.region";
    private static final String ZONE = "cloud.availability_zone";

    /// A longer value is a mistake or an attack; telemetry is not worth parsing it.
    private static final int MAX_HEADER_CHARS = 8192;

    public static Baggage of(Workload workload) {
        Locality locality = workload.locality();
        return new Baggage(
                workload.clusterId(),
                workload.namespace(),
                workload.type().name().toLowerCase(Locale.ROOT),
                workload.workloadName(),
                workload.canonicalName(),
                workload.canonicalRevision(),
                locality.region(),
                locality.zone());
    }

    /// Reads what peers send, tolerantly: several header fields may follow each other, unknown keys and members that
    /// are no `key=value` are skipped, properties after `;` are dropped, the last value of a key counts.
    public static Baggage parse(Iterable<? extends CharSequence> headerValues) {
        String cluster = "";
        String namespace = "";
        String type = "";
        String name = "";
        String service = "";
        String version = "";
        String region = "";
        String zone = "";
        for (var header : headerValues) {
            if (header.length() > MAX_HEADER_CHARS) {
                continue;
            }
            for (var member : header.toString().split(",")) {
                int equals = member.indexOf('=');
                if (equals < 0) {
                    continue;
                }
                var key = member.substring(0, equals).strip();
                var value = value(member, equals + 1);
                switch (key) {
                    case CLUSTER -> cluster = value;
                    case NAMESPACE -> namespace = value;
                    case SERVICE_NAME -> service = value;
                    case SERVICE_VERSION -> version = value;
                    case REGION -> region = value;
                    case ZONE -> zone = value;
                    case "k8s.deployment.name", "k8s.cronjob.name", "k8s.pod.name", "k8s.job.name" -> {
                        type = key.substring("k8s.".length(), key.length() - ".name".length());
                        name = value;
                    }
                    default -> {} // other vendors' keys
                }
            }
        }
        return new Baggage(cluster, namespace, type, name, service, version, region, zone);
    }

    private static String value(String member, int from) {
        int properties = member.indexOf(';', from); // W3C Baggage, 3.3.1: value, then ;-separated properties
        return (properties < 0 ? member.substring(from) : member.substring(from, properties)).strip();
    }

    /// The header value, in the order in which ztunnel writes it; "" if nothing is known.
    public String header() {
        var text = new StringBuilder(192);
        append(text, CLUSTER, cluster);
        append(text, NAMESPACE, namespace);
        if (!workloadType.isEmpty()) {
            append(text, "k8s." + workloadType + ".name", workloadName);
        }
        append(text, SERVICE_NAME, serviceName);
        append(text, SERVICE_VERSION, serviceVersion);
        append(text, REGION, region);
        append(text, ZONE, zone);
        return text.toString();
    }

    private static void append(StringBuilder text, String key, String value) {
        if (value.isEmpty() || !isPlain(value)) {
            return;
        }
        if (!text.isEmpty()) {
            text.append(',');
        }
        text.append(key).append('=').append(value);
    }

    /// A value that would end its member early, or the header, is left out rather than sent.
    private static boolean isPlain(String value) {
        return value.chars().allMatch(c -> c > 0x20 && c < 0x7f && c != ',' && c != ';' && c != '"' && c != '\\');
    }
}
