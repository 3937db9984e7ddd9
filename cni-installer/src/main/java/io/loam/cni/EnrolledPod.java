package io.loam.cni;

import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// A pod that belongs to the mesh.
///
/// @param uid Kubernetes pod UID
/// @param netns its network namespace, for example `/run/netns/name`; the pod counts as gone when the path is
/// @param addresses its own, for probes
/// @param annotations those that change its redirection are read, see {@link io.loam.cni.rules.PodAnnotations}
/// @param running whether its processes run already. A pod that is about to start gets its rules before anything else,
///     so that it never talks uncaptured; a running one gets its proxy first, so that joining refuses no connection
public record EnrolledPod(
        String uid,
        String name,
        String namespace,
        String serviceAccount,
        Path netns,
        List<InetAddress> addresses,
        Map<String, String> annotations,
        boolean running) {
    public EnrolledPod {
        addresses = List.copyOf(addresses);
        annotations = Map.copyOf(annotations);
    }
}
