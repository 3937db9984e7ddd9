package io.loam.config;

import io.loam.config.object.ServiceObject;
import io.loam.config.object.ServiceObject.InternalTrafficPolicy;
import io.loam.config.object.ServiceObject.IpFamily;
import io.loam.config.object.ServiceObject.IpFamilyPolicy;
import io.loam.config.object.ServiceObject.Port;
import io.loam.config.object.ServiceObject.TrafficDistribution;
import io.loam.config.object.TransportProtocol;
import io.loam.config.yaml.YamlMapping;
import io.loam.config.yaml.YamlScalar;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Reads Service.
final class ServiceReader {
    private static final Map<String, ServiceObject.Type> TYPES = new TreeMap<>(Map.of(
            "ClusterIP", ServiceObject.Type.CLUSTER_IP,
            "NodePort", ServiceObject.Type.NODE_PORT,
            "LoadBalancer", ServiceObject.Type.LOAD_BALANCER,
            "ExternalName", ServiceObject.Type.EXTERNAL_NAME));
    private static final Map<String, IpFamily> FAMILIES =
            new TreeMap<>(Map.of("IPv4", IpFamily.IPV4, "IPv6", IpFamily.IPV6));
    private static final Map<String, IpFamilyPolicy> FAMILY_POLICIES = new TreeMap<>(Map.of(
            "SingleStack", IpFamilyPolicy.SINGLE_STACK,
            "PreferDualStack", IpFamilyPolicy.PREFER_DUAL_STACK,
            "RequireDualStack", IpFamilyPolicy.REQUIRE_DUAL_STACK));

    private ServiceReader() {}

    static @Nullable ServiceObject read(YamlMapping root) {
        var meta = MetadataReader.read(root, true);
        if (!meta.name().isEmpty() && meta.name().indexOf('.') >= 0) { // it is one label of a DNS name
            root.reject("metadata", meta.name(), Names.LABEL, "");
        }
        var spec = root.mapping("spec");
        if (spec == null) {
            if (!root.has("spec")) {
                root.missing("spec", "spec with ports");
            }
            return null;
        }
        spec.ignore(
                "sessionAffinityConfig",
                "allocateLoadBalancerNodePorts",
                "loadBalancerClass",
                "healthCheckNodePort",
                "externalTrafficPolicy");
        spec.withoutEffect(
                "without effect: services are reached at their cluster addresses",
                "externalIPs",
                "loadBalancerIP",
                "loadBalancerSourceRanges");
        if (spec.text("sessionAffinity", "None").equals("ClientIP")) {
            spec.warn("sessionAffinity", "ClientIP", "None", "every connection chooses its endpoint anew");
        }
        var type = spec.oneOf("type", ServiceObject.Type.CLUSTER_IP, TYPES);
        if (type == ServiceObject.Type.NODE_PORT || type == ServiceObject.Type.LOAD_BALANCER) {
            spec.warn("type", spec.text("type", ""), "ClusterIP", "reached at its cluster address only");
        }
        var ips = clusterIps(spec);
        var families = families(spec);
        checkFamilies(spec, ips.addresses(), families);
        var result = new ServiceObject(
                meta,
                type,
                ips.headless(),
                ips.addresses(),
                families,
                spec.oneOf("ipFamilyPolicy", IpFamilyPolicy.UNSPECIFIED, FAMILY_POLICIES),
                ports(spec, type, ips.headless()),
                MetadataReader.labels(spec, "selector"),
                spec.flag("publishNotReadyAddresses", false),
                spec.oneOf(
                        "internalTrafficPolicy",
                        InternalTrafficPolicy.CLUSTER,
                        new TreeMap<>(Map.of(
                                "Cluster", InternalTrafficPolicy.CLUSTER, "Local", InternalTrafficPolicy.LOCAL))),
                distribution(root, spec),
                externalName(spec, type));
        spec.finish();
        return result;
    }

    private record ClusterIps(boolean headless, List<InetAddress> addresses) {}

    /// `clusterIP` is the first of `clusterIPs`; `None` = headless, "" = any.
    private static ClusterIps clusterIps(YamlMapping spec) {
        var all = new ArrayList<>(spec.scalars("clusterIPs"));
        var first = spec.scalar("clusterIP");
        if (first != null && !first.text().isEmpty()) {
            if (all.isEmpty()) {
                all.add(first);
            } else if (!all.getFirst().text().equals(first.text())) {
                first.reject("the first of clusterIPs, " + all.getFirst().text());
            }
        }
        if (all.stream().anyMatch(ip -> ip.text().equals("None"))) {
            if (all.size() > 1) {
                all.getFirst().reject("None alone, or addresses");
            }
            return new ClusterIps(true, List.of());
        }
        var addresses = new ArrayList<InetAddress>();
        for (var ip : all) {
            address(ip, addresses);
        }
        return new ClusterIps(false, addresses);
    }

    private static void address(YamlScalar written, List<InetAddress> addresses) {
        var address = Addresses.parse(written.text());
        if (address == null || !Addresses.isUsableByPod(address)) {
            written.reject("an IP address, or None for a headless service");
        } else if (addresses.stream().anyMatch(other -> familyOf(other) == familyOf(address))) {
            written.reject("at most one address per family");
        } else {
            addresses.add(address);
        }
    }

    private static IpFamily familyOf(InetAddress address) {
        return address instanceof Inet4Address ? IpFamily.IPV4 : IpFamily.IPV6;
    }

    private static List<IpFamily> families(YamlMapping spec) {
        var families = new ArrayList<IpFamily>();
        for (var written : spec.scalars("ipFamilies")) {
            var family = FAMILIES.get(written.text());
            if (family == null || families.contains(family)) {
                written.reject("IPv4 or IPv6, each at most once");
            } else {
                families.add(family);
            }
        }
        return families;
    }

    private static void checkFamilies(YamlMapping spec, List<InetAddress> ips, List<IpFamily> families) {
        for (int i = 0; i < Math.min(ips.size(), families.size()); i++) {
            if (familyOf(ips.get(i)) != families.get(i)) {
                spec.reject(
                        "ipFamilies",
                        families.get(i) == IpFamily.IPV4 ? "IPv4" : "IPv6",
                        "the family of " + ips.get(i).getHostAddress(),
                        "");
            }
        }
    }

    private static List<Port> ports(YamlMapping spec, ServiceObject.Type type, boolean headless) {
        var items = spec.mappings("ports");
        if (items.isEmpty() && !headless && type != ServiceObject.Type.EXTERNAL_NAME) {
            spec.missing("ports", "at least one port");
        }
        var ports = new ArrayList<Port>();
        var names = new HashSet<String>();
        var numbers = new HashMap<String, String>();
        for (var item : items) {
            if (!item.has("port")) {
                item.missing("port", "a whole number from 1 to 65535");
            }
            var name = item.text("name", "");
            if (name.isEmpty() && items.size() > 1) {
                item.missing("name", "a name, as there are several ports");
            } else if (!name.isEmpty() && !Names.isLabel(name)) {
                MetadataReader.reject(item, "name", Names.LABEL);
            } else if (!names.add(name)) {
                MetadataReader.reject(item, "name", "a different name for each port");
            }
            int number = item.integer("port", 1, 1, PodReader.LAST_PORT);
            var protocol = item.oneOf("protocol", TransportProtocol.TCP, PodReader.PROTOCOLS);
            if (numbers.putIfAbsent(number + "/" + protocol, name) != null) {
                item.reject("port", number + "/" + protocol, "each port once per protocol", "");
            }
            ports.add(new Port(
                    name,
                    number,
                    PodReader.portRef(item, "targetPort", number),
                    protocol,
                    item.text("appProtocol", "")));
            item.withoutEffect("without effect: services are reached at their cluster addresses", "nodePort");
            item.finish();
        }
        return ports;
    }

    /// The field, otherwise the annotation.
    private static TrafficDistribution distribution(YamlMapping root, YamlMapping spec) {
        var field = spec.scalar("trafficDistribution");
        if (field != null) {
            return distribution(field, "PreferClose, PreferSameNode or PreferSameZone");
        }
        var metadata = root.mapping("metadata");
        var annotation =
                metadata == null ? null : metadata.scalarMap("annotations").get(TrafficDistribution.ANNOTATION);
        return annotation == null
                ? TrafficDistribution.UNSPECIFIED
                : distribution(annotation, "Any, PreferClose, PreferSameNode or PreferSameZone");
    }

    private static TrafficDistribution distribution(YamlScalar written, String expected) {
        var value = TrafficDistribution.parse(written.text());
        if (value.isEmpty()) {
            written.warn(expected, "no preference");
        }
        return value.orElse(TrafficDistribution.UNSPECIFIED);
    }

    private static String externalName(YamlMapping spec, ServiceObject.Type type) {
        var name = spec.text("externalName", "");
        if (type == ServiceObject.Type.EXTERNAL_NAME && name.isEmpty()) {
            spec.missing("externalName", "a host name");
        } else if (type == ServiceObject.Type.EXTERNAL_NAME && !Names.isSubdomain(name)) {
            MetadataReader.reject(spec, "externalName", "a host name");
        }
        return name;
    }
}
