package io.loam.controlplane;

import io.loam.config.compile.MeshSettings;
import java.time.Duration;
import java.util.Set;

/// How the control plane works.
///
/// @param mesh what holds for the whole mesh
/// @param proxyAccounts service accounts that may listen, as `namespace/name`
/// @param quiet a change is sent when this time has passed without another; default 100 ms
/// @param longestWait but not later than this after the first one; default 1 s, the time a change may take to be
///     applied
/// @param maxProxies streams served at once; default 5,000, one agent per node of the largest clusters
public record ControlPlaneConfig(
        MeshSettings mesh, Set<String> proxyAccounts, Duration quiet, Duration longestWait, int maxProxies) {
    public ControlPlaneConfig {
        proxyAccounts = Set.copyOf(proxyAccounts);
        if (proxyAccounts.isEmpty()) {
            throw new IllegalArgumentException("proxyAccounts: none (expected: for example loam-system/node-agent)");
        }
        if (quiet.isNegative() || longestWait.compareTo(quiet) < 0) {
            throw new IllegalArgumentException(
                    "longestWait: " + longestWait + " (expected: >= quiet, which is " + quiet + ")");
        }
        if (maxProxies < 1) {
            throw new IllegalArgumentException("maxProxies: " + maxProxies + " (expected: >= 1)");
        }
    }

    public static ControlPlaneConfig of(MeshSettings mesh, Set<String> proxyAccounts) {
        return new ControlPlaneConfig(mesh, proxyAccounts, Duration.ofMillis(100), Duration.ofSeconds(1), 5_000);
    }
}
