package io.loam.config;

import io.loam.config.object.ServiceEntryObject;
import io.loam.config.object.ServiceEntryObject.Location;
import io.loam.config.object.ServiceEntryObject.Port;
import io.loam.config.object.ServiceEntryObject.Resolution;
import io.loam.config.object.ServiceObject.TrafficDistribution;
import io.loam.config.object.WorkloadEntrySpec;
import io.loam.config.yaml.YamlMapping;
import io.loam.config.yaml.YamlScalar;
import io.loam.model.address.CidrBlock;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Reads ServiceEntry.
final class ServiceEntryReader {
    private static final Map<String, Location> LOCATIONS =
            new TreeMap<>(Map.of("MESH_EXTERNAL", Location.MESH_EXTERNAL, "MESH_INTERNAL", Location.MESH_INTERNAL));
    private static final Map<String, Resolution> RESOLUTIONS = new TreeMap<>(Map.of(
            "NONE", Resolution.NONE,
            "STATIC", Resolution.STATIC,
            "DNS", Resolution.DNS,
            "DNS_ROUND_ROBIN", Resolution.DNS_ROUND_ROBIN,
            "DYNAMIC_DNS", Resolution.DYNAMIC_DNS));
    private static final Set<String> PROTOCOLS =
            Set.of("HTTP", "HTTPS", "GRPC", "GRPC-WEB", "HTTP2", "MONGO", "TCP", "TLS", "MYSQL", "REDIS");
    private static final String HOST = "a host name such as api.example.com or *.example.com";

    private ServiceEntryReader() {}

    static @Nullable ServiceEntryObject read(YamlMapping root) {
        var meta = MetadataReader.read(root, true);
        var spec = root.mapping("spec");
        if (spec == null) {
            if (!root.has("spec")) {
                root.missing("spec", "spec with hosts");
            }
            return null;
        }
        var resolution = spec.oneOf("resolution", Resolution.NONE, RESOLUTIONS);
        var hosts = hosts(spec);
        var addresses = addresses(spec, resolution);
        var ports = ports(spec);
        var endpoints = endpoints(spec, resolution);
        var selector = selector(spec);
        if (!selector.isEmpty() && !endpoints.isEmpty()) {
            spec.reject("workloadSelector", Selectors.shown(selector), "endpoints or workloadSelector, not both", "");
        }
        checkResolution(spec, resolution, hosts, endpoints, selector);
        if (resolution == Resolution.DYNAMIC_DNS) {
            spec.warn(
                    "resolution",
                    "DYNAMIC_DNS",
                    "NONE, STATIC or DNS",
                    "needs a waypoint; without one, connections go where the application meant them to go");
        }
        var result = new ServiceEntryObject(
                meta,
                hosts,
                addresses,
                ports,
                spec.oneOf("location", Location.MESH_EXTERNAL, LOCATIONS),
                resolution,
                endpoints,
                selector,
                exportedEverywhere(spec),
                spec.texts("subjectAltNames"),
                distribution(root));
        spec.finish();
        return result;
    }

    private static List<String> hosts(YamlMapping spec) {
        var hosts = new ArrayList<String>();
        for (var written : spec.scalars("hosts")) {
            var host = written.text().toLowerCase(Locale.ROOT);
            var name = host.startsWith("*.") ? host.substring(2) : host;
            if (!Names.isHostname(name)) {
                written.reject(HOST);
            } else if (hosts.contains(host)) {
                written.warn("each host once", "taken once");
            } else {
                hosts.add(host);
            }
        }
        if (hosts.isEmpty() && !spec.has("hosts")) {
            spec.missing("hosts", "a list with at least one host name");
        } else if (spec.isEmptyList("hosts")) {
            spec.reject("hosts", "[]", "at least one host name", "");
        }
        return hosts;
    }

    private static List<CidrBlock> addresses(YamlMapping spec, Resolution resolution) {
        var addresses = new ArrayList<CidrBlock>();
        for (var written : spec.scalars("addresses")) {
            try {
                var block = CidrBlock.parse(written.text());
                if (!block.isHost() && resolution.byName()) {
                    written.reject("an IP address: a range goes with resolution NONE or STATIC");
                } else if (block.isHost() && !Addresses.isUsableByPod(block.address())) {
                    written.reject("an address that pods can connect to");
                } else {
                    addresses.add(block);
                }
            } catch (IllegalArgumentException _) {
                written.reject("an IP address or CIDR block such as 192.0.2.7 or 192.0.2.0/24");
            }
        }
        return addresses;
    }

    private static List<Port> ports(YamlMapping spec) {
        var items = spec.mappings("ports");
        if (items.isEmpty()) {
            spec.missing("ports", "at least one port");
        }
        var ports = new ArrayList<Port>();
        var names = new HashSet<String>();
        var numbers = new HashSet<Integer>();
        for (var item : items) {
            if (!item.has("number")) {
                item.missing("number", "a whole number from 1 to 65535");
            }
            int number = item.integer("number", 1, 1, PodReader.LAST_PORT);
            if (!numbers.add(number)) {
                item.reject("number", Integer.toString(number), "each port once", "");
            }
            var name = item.text("name", "");
            if (name.isEmpty() && items.size() > 1) {
                item.missing("name", "a name, as there are several ports");
            } else if (!name.isEmpty() && !names.add(name)) {
                MetadataReader.reject(item, "name", "a different name for each port");
            }
            var protocol = item.text("protocol", "TCP").toUpperCase(Locale.ROOT);
            if (protocol.equals("UDP")) {
                item.warn("protocol", "UDP", "TCP or a protocol over it", "the mesh carries TCP only");
            } else if (!PROTOCOLS.contains(protocol)) {
                MetadataReader.reject(
                        item, "protocol", "HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, MONGO, MYSQL, REDIS, TCP or TLS");
            }
            int target = item.integer("targetPort", number, 1, PodReader.LAST_PORT);
            if (!protocol.equals("UDP")) {
                ports.add(new Port(name, number, target, protocol));
            }
            item.finish();
        }
        return ports;
    }

    private static List<WorkloadEntrySpec> endpoints(YamlMapping spec, Resolution resolution) {
        var endpoints = new ArrayList<WorkloadEntrySpec>();
        for (var item : spec.mappings("endpoints")) {
            var endpoint = WorkloadEntryReader.readSpec(item);
            if (resolution == Resolution.STATIC && !endpoint.hostname().isEmpty()) {
                MetadataReader.reject(item, "address", "an IP address, or resolution DNS");
            }
            endpoints.add(endpoint);
        }
        return endpoints;
    }

    private static Map<String, String> selector(YamlMapping spec) {
        var selector = spec.mapping("workloadSelector");
        if (selector == null) {
            return Map.of();
        }
        var labels = MetadataReader.labels(selector, "labels");
        selector.finish();
        return labels;
    }

    private static void checkResolution(
            YamlMapping spec,
            Resolution resolution,
            List<String> hosts,
            List<WorkloadEntrySpec> endpoints,
            Map<String, String> selector) {
        boolean nothingToReach = endpoints.isEmpty() && selector.isEmpty();
        switch (resolution) {
            case NONE, DYNAMIC_DNS -> {
                if (!endpoints.isEmpty()) {
                    spec.reject(
                            "endpoints",
                            endpoints.size() + " of them",
                            "no endpoints, or resolution STATIC or DNS",
                            "");
                }
            }
            case STATIC -> {
                if (nothingToReach) {
                    spec.missing("endpoints", "endpoints or a workloadSelector, as resolution is STATIC");
                }
            }
            case DNS, DNS_ROUND_ROBIN -> {
                if (nothingToReach && hosts.stream().anyMatch(host -> host.startsWith("*."))) {
                    spec.reject(
                            "hosts",
                            hosts.getFirst(),
                            "host names without *, or endpoints: a wildcard does not resolve",
                            "");
                }
            }
        }
    }

    /// `.` is the own namespace, `*` or nothing is everywhere.
    private static boolean exportedEverywhere(YamlMapping spec) {
        var written = spec.scalars("exportTo");
        for (var namespace : written) {
            if (!namespace.text().equals("*") && !namespace.text().equals(".")) {
                namespace.warn("* or .", "visible in its own namespace only");
            }
        }
        return written.isEmpty()
                || written.stream().anyMatch(namespace -> namespace.text().equals("*"));
    }

    private static TrafficDistribution distribution(YamlMapping root) {
        var metadata = root.mapping("metadata");
        YamlScalar annotation =
                metadata == null ? null : metadata.scalarMap("annotations").get(TrafficDistribution.ANNOTATION);
        if (annotation == null) {
            return TrafficDistribution.UNSPECIFIED;
        }
        var value = TrafficDistribution.parse(annotation.text());
        if (value.isEmpty()) {
            annotation.warn("Any, PreferClose, PreferSameNode or PreferSameZone", "no preference");
        }
        return value.orElse(TrafficDistribution.UNSPECIFIED);
    }
}
