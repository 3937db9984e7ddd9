package io.loam.cni;

import io.loam.cni.command.ProcessCommands;
import java.nio.file.Path;
import java.time.Duration;

/// How one node brings its pods into the mesh.
///
/// @param nodeName for logs
/// @param zdsSocket where node proxies connect; created, mode 0600
/// @param nodeNetns the node's own network namespace, for example `/proc/1/ns/net`
/// @param kubeletUid user id of the process that probes pods, 0 or more. Default 0: kubelet runs as root
/// @param dnsCapture redirect the pods' DNS to the proxy unless a pod's annotation says otherwise. Default true,
///     as Istio's charts have it; false where the node agents do not listen for DNS (`ISTIO_META_DNS_CAPTURE=false`)
/// @param ipv6 write rules for IPv6 too. Default true
/// @param commandDeadline for one run of nft or ip; at least 1 s. Default 10 s
public record NodeEnrollerConfig(
        String nodeName,
        Path zdsSocket,
        Path nodeNetns,
        int kubeletUid,
        boolean dnsCapture,
        boolean ipv6,
        Duration commandDeadline) {
    public NodeEnrollerConfig {
        if (kubeletUid < 0) {
            throw new IllegalArgumentException("kubeletUid: " + kubeletUid + " (expected: >= 0)");
        }
    }

    public static NodeEnrollerConfig defaults(String nodeName, Path zdsSocket, Path nodeNetns) {
        return new NodeEnrollerConfig(nodeName, zdsSocket, nodeNetns, 0, true, true, ProcessCommands.DEFAULT_DEADLINE);
    }

    /// The same beside agents that do not listen for DNS.
    public NodeEnrollerConfig withoutDnsCapture() {
        return new NodeEnrollerConfig(nodeName, zdsSocket, nodeNetns, kubeletUid, false, ipv6, commandDeadline);
    }
}
