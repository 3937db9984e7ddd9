package io.loam.config;

import io.loam.config.object.ObjectMeta;
import io.loam.config.object.Origin;
import io.loam.config.object.PodObject;
import io.loam.config.problem.SourcePosition;
import io.loam.config.yaml.YamlMapping;
import io.loam.config.yaml.YamlScalar;
import java.net.InetAddress;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Reads `metadata`, and the labels and annotations of templates.
final class MetadataReader {
    static final String DEFAULT_NAMESPACE = "default";

    private MetadataReader() {}

    /// @param namespaced whether objects of the kind live in a namespace
    static ObjectMeta read(YamlMapping root, boolean namespaced) {
        var metadata = root.mapping("metadata");
        if (metadata == null) {
            if (!root.has("metadata")) {
                root.missing("metadata", "metadata with a name");
            }
            return new ObjectMeta("", "", Map.of(), Map.of(), null, new Origin(root.position(), Map.of()));
        }
        metadata.ignore(
                "uid",
                "resourceVersion",
                "generation",
                "managedFields",
                "ownerReferences",
                "finalizers",
                "selfLink",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "generateName");
        var name = metadata.requiredText("name", Names.SUBDOMAIN);
        if (!name.isEmpty() && !Names.isSubdomain(name)) {
            reject(metadata, "name", Names.SUBDOMAIN);
        }
        var namespace = namespaced ? metadata.text("namespace", DEFAULT_NAMESPACE) : "";
        if (namespaced && !Names.isLabel(namespace)) {
            reject(metadata, "namespace", Names.LABEL);
        } else if (!namespaced && metadata.has("namespace")) {
            metadata.warn("namespace", metadata.text("namespace", ""), "none for this kind", "ignored");
        }
        var meta = new ObjectMeta(
                name,
                namespace,
                labels(metadata, "labels"),
                annotations(metadata),
                created(metadata),
                new Origin(positionOf(root), places(root)));
        metadata.finish();
        return meta;
    }

    static Map<String, String> labels(YamlMapping mapping, String field) {
        var labels = new LinkedHashMap<String, String>();
        mapping.scalarMap(field).forEach((key, value) -> {
            Names.checkLabel(key, value);
            labels.put(key, value.text());
        });
        return labels;
    }

    static Map<String, String> annotations(YamlMapping metadata) {
        var annotations = new LinkedHashMap<String, String>();
        metadata.scalarMap("annotations").forEach((key, value) -> {
            Names.checkKey(key, value);
            MeaningfulAnnotations.check(key, value);
            annotations.put(key, value.text());
        });
        return annotations;
    }

    /// The annotation `loam.io/pod-ip`: one address per family at most.
    static List<InetAddress> requestedIps(@Nullable YamlMapping metadata) {
        if (metadata == null) {
            return List.of();
        }
        var value = metadata.scalarMap("annotations").get(PodObject.IP_ANNOTATION);
        if (value == null) {
            return List.of();
        }
        var expected = "an IPv4 address, an IPv6 address, or one of each separated by a comma";
        var ips = new ArrayList<InetAddress>();
        for (var part : value.text().split(",", -1)) {
            var ip = Addresses.parse(part.strip());
            if (ip == null || !Addresses.isUsableByPod(ip) || ips.stream().anyMatch(other -> sameFamily(other, ip))) {
                value.reject(expected);
                return List.of();
            }
            ips.add(ip);
        }
        return ips;
    }

    private static boolean sameFamily(InetAddress a, InetAddress b) {
        return a.getAddress().length == b.getAddress().length;
    }

    static void reject(YamlMapping mapping, String field, String expected) {
        YamlScalar value = mapping.scalar(field);
        if (value != null) {
            value.reject(expected);
        }
    }

    private static @Nullable Instant created(YamlMapping metadata) {
        var value = metadata.scalar("creationTimestamp");
        if (value == null) {
            return null;
        }
        try {
            return Instant.parse(value.text());
        } catch (DateTimeParseException _) {
            value.warn("a time such as 2026-01-31T12:00:00Z", "ignored");
            return null;
        }
    }

    private static SourcePosition positionOf(YamlMapping root) {
        return new SourcePosition(root.position().file(), root.position().line(), 0);
    }

    /// The places of the fields that problems between documents point at: those of the first two levels, labels and
    /// annotations.
    private static Map<String, SourcePosition> places(YamlMapping root) {
        var places = new HashMap<String, SourcePosition>();
        for (var name : root.names()) {
            places.put(root.pathOf(name), root.position(name));
        }
        for (var section : List.of("metadata", "spec")) {
            var mapping = root.mapping(section);
            if (mapping == null) {
                continue;
            }
            for (var name : mapping.names()) {
                places.put(mapping.pathOf(name), mapping.position(name));
                var items = mapping.itemPositions(name);
                for (int i = 0; i < items.size(); i++) {
                    places.put(mapping.pathOf(name) + "[" + i + "]", items.get(i));
                }
            }
            if (section.equals("metadata")) {
                for (var field : List.of("labels", "annotations")) {
                    mapping.scalarMap(field).values().forEach(value -> places.put(value.path(), value.position()));
                }
            }
        }
        return places;
    }
}
