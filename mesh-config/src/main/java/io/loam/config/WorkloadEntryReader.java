package io.loam.config;

import io.loam.config.object.WorkloadEntryObject;
import io.loam.config.object.WorkloadEntrySpec;
import io.loam.config.yaml.YamlMapping;
import io.loam.model.workload.Locality;
import java.net.InetAddress;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Reads WorkloadEntry, and the endpoints of a ServiceEntry, which are the same.
final class WorkloadEntryReader {
    private static final int LARGEST_WEIGHT = 1 << 20;

    private WorkloadEntryReader() {}

    static @Nullable WorkloadEntryObject read(YamlMapping root) {
        var meta = MetadataReader.read(root, true);
        var spec = root.mapping("spec");
        if (spec == null) {
            if (!root.has("spec")) {
                root.missing("spec", "spec with an address");
            }
            return null;
        }
        return new WorkloadEntryObject(meta, readSpec(spec));
    }

    /// Reads and finishes the mapping.
    static WorkloadEntrySpec readSpec(YamlMapping spec) {
        Optional<InetAddress> address = Optional.empty();
        var hostname = "";
        var written = spec.scalar("address");
        if (written == null) {
            if (!spec.has("address")) {
                spec.missing("address", "an IP address or a host name");
            }
        } else {
            var parsed = Addresses.parse(written.text());
            if (parsed != null && Addresses.isUsableByPod(parsed)) {
                address = Optional.of(parsed);
            } else if (parsed == null && Names.isHostname(written.text())) {
                hostname = written.text().toLowerCase(Locale.ROOT);
            } else {
                written.reject("an IP address that others can reach, or a host name");
            }
        }
        var result = new WorkloadEntrySpec(
                address,
                hostname,
                ports(spec),
                MetadataReader.labels(spec, "labels"),
                spec.text("network", ""),
                locality(spec),
                Math.max(1, spec.integer("weight", 1, 0, LARGEST_WEIGHT)), // 0 is Istio's "not written"
                serviceAccount(spec));
        spec.finish();
        return result;
    }

    private static Map<String, Integer> ports(YamlMapping spec) {
        var ports = new LinkedHashMap<String, Integer>();
        spec.scalarMap("ports").forEach((name, number) -> ports.put(name, number.integer(1, 1, PodReader.LAST_PORT)));
        return ports;
    }

    /// `region`, `region/zone` or `region/zone/subzone`.
    private static Optional<Locality> locality(YamlMapping spec) {
        var written = spec.scalar("locality");
        if (written == null || written.text().isEmpty()) {
            return Optional.empty();
        }
        var parts = written.text().split("/", -1);
        if (parts.length > 3 || parts[0].isEmpty()) {
            written.reject("region/zone/subzone, of which the last two may be left out");
            return Optional.empty();
        }
        return Optional.of(new Locality(parts[0], parts.length > 1 ? parts[1] : "", parts.length > 2 ? parts[2] : ""));
    }

    private static String serviceAccount(YamlMapping spec) {
        var name = spec.text("serviceAccount", "");
        if (!name.isEmpty() && !Names.isSubdomain(name)) {
            MetadataReader.reject(spec, "serviceAccount", Names.SUBDOMAIN);
        }
        return name;
    }
}
