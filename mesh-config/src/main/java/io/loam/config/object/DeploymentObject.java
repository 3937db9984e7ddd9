package io.loam.config.object;

import java.net.InetAddress;
import java.util.List;
import java.util.Map;

/// A number of equal pods.
///
/// @param replicas 1 by default
/// @param selector labels of its pods; the template has them all
public record DeploymentObject(
        ObjectMeta meta, int replicas, Map<String, String> selector, PodTemplate template, Strategy strategy)
        implements MeshObject {
    public DeploymentObject {
        selector = Map.copyOf(selector);
    }

    /// What its pods are made from.
    ///
    /// @param requestedIps as {@link PodObject#requestedIps}; only of use with one replica
    public record PodTemplate(
            Map<String, String> labels, Map<String, String> annotations, PodSpec spec, List<InetAddress> requestedIps) {
        public PodTemplate {
            requestedIps = List.copyOf(requestedIps);
            labels = Map.copyOf(labels);
            annotations = Map.copyOf(annotations);
        }
    }

    /// How old pods give way to new ones.
    public sealed interface Strategy {
        /// All old pods end before the first new one starts.
        record Recreate() implements Strategy {}

        /// @param maxSurge pods above `replicas` at any moment, already computed from a percentage (rounded up)
        /// @param maxUnavailable pods short of `replicas` at any moment, already computed (rounded down)
        record RollingUpdate(int maxSurge, int maxUnavailable) implements Strategy {}
    }

    /// One pod of the deployment.
    public PodObject pod(String name) {
        return new PodObject(
                new ObjectMeta(name, meta.namespace(), template.labels(), template.annotations(), null, meta.origin()),
                template.spec(),
                template.requestedIps());
    }
}
