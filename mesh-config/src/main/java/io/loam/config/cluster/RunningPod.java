package io.loam.config.cluster;

import io.loam.config.object.PodObject;
import java.net.InetAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A pod that was placed on a node, with what is known about it now.
///
/// @param uid unique over time: a pod created again under the same name has another one
/// @param node name of the node it runs on
/// @param ips one per family; empty until it has its network
/// @param ready its readiness probes succeed
/// @param terminating it was told to end
/// @param redirected its traffic is captured, so that peers may speak HBONE to it
/// @param owner what made it; null for a pod somebody wrote
public record RunningPod(
        PodObject pod,
        String uid,
        String node,
        List<InetAddress> ips,
        Phase phase,
        boolean ready,
        boolean terminating,
        boolean redirected,
        @Nullable Owner owner) {
    public RunningPod {
        ips = List.copyOf(ips);
    }

    public String name() {
        return pod.meta().name();
    }

    public String namespace() {
        return pod.meta().namespace();
    }

    public enum Phase {
        PENDING,
        RUNNING,
        SUCCEEDED,
        FAILED
    }

    /// @param kind for example `Deployment`
    public record Owner(String kind, String name) {}
}
