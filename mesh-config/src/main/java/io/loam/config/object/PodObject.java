package io.loam.config.object;

import java.net.InetAddress;
import java.util.List;

/// One pod, as written or as made from a Deployment's template.
///
/// @param requestedIps from the annotation {@link #IP_ANNOTATION}; at most one per family, empty = any
public record PodObject(ObjectMeta meta, PodSpec spec, List<InetAddress> requestedIps) implements MeshObject {
    /// Asks for fixed addresses: one IPv4 address, one IPv6 address, or both separated by a comma. They need not lie in
    /// the range of the node. Only the lab honours it.
    public static final String IP_ANNOTATION = "loam.io/pod-ip";

    public PodObject {
        requestedIps = List.copyOf(requestedIps);
    }
}
