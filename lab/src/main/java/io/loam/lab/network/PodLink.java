package io.loam.lab.network;

import java.net.InetAddress;
import java.util.List;

/// How a pod is attached to its node.
///
/// @param netns name of the pod's namespace
/// @param link name of the node's end; at most 15 characters, unique on the node
/// @param ips at most one per family; outside of the node's range they are routed one by one
public record PodLink(NodeSlot node, String netns, String link, List<InetAddress> ips) {
    public PodLink {
        ips = List.copyOf(ips);
        if (link.length() > 15) {
            throw new IllegalArgumentException("link: " + link + " (expected: at most 15 characters)");
        }
    }

    /// @param uid of the pod
    public static String linkName(String uid) {
        var digits = uid.replace("-", "");
        return "pod" + digits.substring(0, Math.min(12, digits.length()));
    }
}
