package io.loam.config.compile;

import java.util.List;

/// What holds for a whole mesh.
///
/// @param trustDomain first part of all identities
/// @param clusterId first part of all workload keys
/// @param network name of the network all pods share; "" is the default network
/// @param rootNamespaces policies in these hold for all namespaces; the first one names the policies Loam makes itself
/// @param clusterDomain last part of service host names
public record MeshSettings(
        String trustDomain, String clusterId, String network, List<String> rootNamespaces, String clusterDomain) {
    public static final MeshSettings DEFAULT = new MeshSettings(
            "cluster.local", "Kubernetes", "", List.of("loam-system", "istio-system"), "cluster.local");

    public MeshSettings {
        rootNamespaces = List.copyOf(rootNamespaces);
        if (rootNamespaces.isEmpty()) {
            throw new IllegalArgumentException("rootNamespaces: [] (expected: at least one)");
        }
    }

    /// `name.namespace.svc.<cluster domain>`.
    public String hostname(String service, String namespace) {
        return service + "." + namespace + ".svc." + clusterDomain;
    }
}
