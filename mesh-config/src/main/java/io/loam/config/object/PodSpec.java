package io.loam.config.object;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/// What a pod runs, and where.
///
/// @param initContainers run one after the other, each to its end, before the others start
/// @param nodeName the node it is bound to; "" = any that fits `nodeSelector`
/// @param serviceAccountName `default` where not written
/// @param hostname "" = the pod's name
/// @param subdomain "" = none; otherwise the headless service that gives the pod a name of its own
/// @param terminationGracePeriod between SIGTERM and SIGKILL; 30 s where not written, as in Kubernetes
public record PodSpec(
        List<ContainerSpec> initContainers,
        List<ContainerSpec> containers,
        RestartPolicy restartPolicy,
        String nodeName,
        Map<String, String> nodeSelector,
        String serviceAccountName,
        boolean hostNetwork,
        String hostname,
        String subdomain,
        Duration terminationGracePeriod) {
    public PodSpec {
        initContainers = List.copyOf(initContainers);
        containers = List.copyOf(containers);
        nodeSelector = Map.copyOf(nodeSelector);
    }

    public enum RestartPolicy {
        ALWAYS,
        ON_FAILURE,
        NEVER
    }
}
