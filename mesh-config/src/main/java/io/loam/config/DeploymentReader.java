package io.loam.config;

import io.loam.config.object.DeploymentObject;
import io.loam.config.object.DeploymentObject.PodTemplate;
import io.loam.config.object.DeploymentObject.Strategy;
import io.loam.config.object.PodSpec.RestartPolicy;
import io.loam.config.yaml.YamlMapping;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Reads Deployment.
final class DeploymentReader {
    /// More than one machine can run; keeps a typing mistake from filling it.
    private static final int MOST_REPLICAS = 10_000;

    private static final String DEFAULT_SHARE = "25%";
    private static final Map<String, Boolean> TYPES = Map.of("Recreate", true, "RollingUpdate", false);

    private DeploymentReader() {}

    static @Nullable DeploymentObject read(YamlMapping root) {
        var meta = MetadataReader.read(root, true);
        var spec = root.mapping("spec");
        if (spec == null) {
            if (!root.has("spec")) {
                root.missing("spec", "spec with selector and template");
            }
            return null;
        }
        int replicas = spec.integer("replicas", 1, 0, MOST_REPLICAS);
        spec.ignore("revisionHistoryLimit", "progressDeadlineSeconds", "minReadySeconds");
        spec.withoutEffect("without effect", "paused");
        var selector = Selectors.labelSelector(spec, "selector");
        var template = template(spec);
        var strategy = strategy(spec, replicas);
        spec.finish();
        if (template == null) {
            return null;
        }
        if (selector.isEmpty()) {
            if (!spec.has("selector")) {
                spec.missing("selector", "matchLabels that the template has");
            }
        } else if (!template.labels().entrySet().containsAll(selector.entrySet())) {
            spec.reject(
                    "selector",
                    Selectors.shown(selector),
                    "labels of the template: " + Selectors.shown(template.labels()),
                    "");
        }
        return new DeploymentObject(meta, replicas, selector, template, strategy);
    }

    private static @Nullable PodTemplate template(YamlMapping spec) {
        var template = spec.mapping("template");
        if (template == null) {
            if (!spec.has("template")) {
                spec.missing("template", "template with metadata and spec");
            }
            return null;
        }
        var metadata = template.mapping("metadata");
        Map<String, String> labels = metadata == null ? Map.of() : MetadataReader.labels(metadata, "labels");
        Map<String, String> annotations = metadata == null ? Map.of() : MetadataReader.annotations(metadata);
        var requestedIps = MetadataReader.requestedIps(metadata);
        if (metadata != null) {
            metadata.ignore("name", "namespace", "creationTimestamp", "generateName");
            metadata.finish();
        }
        var podSpec = PodReader.spec(template);
        var written = template.mapping("spec");
        if (podSpec.restartPolicy() != RestartPolicy.ALWAYS && written != null) {
            written.reject("restartPolicy", written.text("restartPolicy", ""), "Always in a Deployment", "");
        }
        template.finish();
        return new PodTemplate(labels, annotations, podSpec, requestedIps);
    }

    private static Strategy strategy(YamlMapping spec, int replicas) {
        var strategy = spec.mapping("strategy");
        if (strategy == null) {
            return rolling(null, replicas);
        }
        boolean recreate = strategy.oneOf("type", false, new TreeMap<>(TYPES));
        var update = strategy.mapping("rollingUpdate");
        if (recreate && update != null) {
            strategy.reject("rollingUpdate", "a mapping", "nothing for type Recreate", "");
        }
        strategy.finish();
        return recreate ? new Strategy.Recreate() : rolling(update, replicas);
    }

    private static Strategy rolling(@Nullable YamlMapping update, int replicas) {
        int surge = share(update, "maxSurge", replicas, true);
        int unavailable = share(update, "maxUnavailable", replicas, false);
        if (update != null) {
            update.finish();
        }
        // With both at 0 nothing could ever be replaced; Kubernetes then takes one pod away first.
        return new Strategy.RollingUpdate(surge, surge == 0 && unavailable == 0 ? 1 : unavailable);
    }

    /// A number of pods, or a percentage of `replicas`.
    private static int share(@Nullable YamlMapping update, String field, int replicas, boolean roundUp) {
        var value = update == null ? null : update.scalar(field);
        var text = value == null ? DEFAULT_SHARE : value.text();
        try {
            if (!text.endsWith("%")) {
                int count = Integer.parseInt(text);
                if (count >= 0) {
                    return count;
                }
            } else {
                int percent = Integer.parseInt(text.substring(0, text.length() - 1));
                if (percent >= 0 && percent <= 100) {
                    return (percent * replicas + (roundUp ? 99 : 0)) / 100;
                }
            }
        } catch (NumberFormatException _) {
            // answered below
        }
        if (value != null) {
            value.reject("a number of pods, or a percentage such as 25%");
        }
        return 0;
    }
}
