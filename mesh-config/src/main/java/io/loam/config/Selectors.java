package io.loam.config;

import io.loam.config.yaml.YamlMapping;
import java.util.Map;
import java.util.TreeMap;

/// Label selectors. Only equality is read: `matchExpressions` is refused, because leaving it out would select more.
final class Selectors {
    private Selectors() {}

    /// A field with `matchLabels` below it; empty where nothing is written.
    static Map<String, String> labelSelector(YamlMapping owner, String field) {
        var selector = owner.mapping(field);
        if (selector == null) {
            return Map.of();
        }
        var labels = MetadataReader.labels(selector, "matchLabels");
        if (selector.has("matchExpressions")) {
            selector.reject("matchExpressions", selector.describe("matchExpressions"), "matchLabels", "");
        }
        selector.finish();
        return labels;
    }

    /// `{app: cart, tier: web}`, sorted.
    static String shown(Map<String, String> labels) {
        return new TreeMap<>(labels).toString().replace("=", ": ");
    }
}
