package io.loam.config;

import io.loam.config.object.EgressMode;
import io.loam.config.object.MeshConfigObject;
import io.loam.config.object.SidecarObject;
import io.loam.config.yaml.YamlMapping;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Reads where workloads may go outside of the mesh: from Sidecar, from Istio's mesh-wide settings
/// (IstioOperator and the ConfigMap `istio`), and from our annotation.
final class EgressReader {
    private static final String SETTINGS = "istio";
    private static final String NOT_READ = "without effect in this version";

    private EgressReader() {}

    static @Nullable SidecarObject sidecar(YamlMapping root) {
        var meta = MetadataReader.read(root, true);
        var spec = root.mapping("spec");
        if (spec == null) {
            return new SidecarObject(meta, Map.of(), EgressMode.UNSPECIFIED);
        }
        var selector = spec.mapping("workloadSelector");
        Map<String, String> labels = Map.of();
        if (selector != null) {
            labels = MetadataReader.labels(selector, "labels");
            selector.finish();
        }
        var egress = policy(spec);
        spec.withoutEffect(
                "without effect: node agent and waypoints do not read it",
                "egress",
                "ingress",
                "inboundConnectionPool");
        spec.finish();
        return new SidecarObject(meta, labels, egress);
    }

    static @Nullable MeshConfigObject operator(YamlMapping root) {
        var meta = MetadataReader.read(root, true);
        var spec = root.mapping("spec");
        var mesh = spec == null ? null : spec.mapping("meshConfig");
        if (spec != null) {
            others(spec);
        }
        return new MeshConfigObject(meta, "IstioOperator", mesh == null ? EgressMode.UNSPECIFIED : settings(mesh));
    }

    /// @return null for ConfigMaps that are not about the mesh; they are nobody's business here
    static @Nullable MeshConfigObject configMap(YamlMapping root) {
        root.ignore("data", "binaryData", "immutable");
        var meta = MetadataReader.read(root, true);
        var data = root.mapping("data");
        if (!isSettings(meta.name()) || data == null || !data.has("mesh")) {
            return null;
        }
        var mesh = data.embedded("mesh");
        return new MeshConfigObject(meta, "ConfigMap", mesh == null ? EgressMode.UNSPECIFIED : settings(mesh));
    }

    /// `istio`, or `istio-REVISION`.
    private static boolean isSettings(String name) {
        return name.equals(SETTINGS) || name.startsWith(SETTINGS + "-");
    }

    private static EgressMode settings(YamlMapping mesh) {
        var egress = policy(mesh);
        others(mesh);
        return egress;
    }

    private static void others(YamlMapping mapping) {
        for (var name : mapping.names()) {
            if (!mapping.isRead(name)) {
                mapping.withoutEffect(NOT_READ, name);
            }
        }
        mapping.finish();
    }

    private static EgressMode policy(YamlMapping owner) {
        var policy = owner.mapping("outboundTrafficPolicy");
        if (policy == null) {
            return EgressMode.UNSPECIFIED;
        }
        var mode = policy.oneOf("mode", EgressMode.REGISTRY_ONLY, EgressMode.NAMES); // Istio's enum begins with it
        policy.withoutEffect("without effect: bind the ServiceEntry to a waypoint instead", "egressProxy");
        policy.finish();
        return mode;
    }
}
