package io.loam.runtime.config;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.model.identity.SpiffeId;
import java.util.Map;

/// Which node this proxy serves, and who it is itself.
///
/// @param nodeName Kubernetes name of the node (`NODE_NAME`); required, the CA and the control plane decide by it
/// @param clusterId name of the cluster (`CLUSTER_ID`). Default `Kubernetes`, as peers assume where it is left out
/// @param network name of the network (`NETWORK`). Default "", the default network
/// @param trustDomain (`TRUST_DOMAIN`). Default `cluster.local`
/// @param clusterDomain suffix of service names (`CLUSTER_DOMAIN`). Default `cluster.local`
/// @param podName (`POD_NAME`). Default: the node's name with `ztunnel-` before it
/// @param podNamespace (`POD_NAMESPACE`). Default `loam-system`
/// @param serviceAccount (`SERVICE_ACCOUNT`). Default `ztunnel`
/// @param instanceIp address the control plane sees in the node id (`INSTANCE_IP`). Default `1.1.1.1`, as ztunnel has
///     it
/// @param metadata what `ISTIO_META_*` (as text) and `ISTIO_METAJSON_*` (as any JSON value) add to the xDS node,
/// without
///     the prefix
public record NodeConfig(
        String nodeName,
        String clusterId,
        String network,
        String trustDomain,
        String clusterDomain,
        String podName,
        String podNamespace,
        String serviceAccount,
        String instanceIp,
        Map<String, JsonNode> metadata) {
    public NodeConfig {
        new Checks()
                .require(!nodeName.isEmpty(), "NODE_NAME", "not set", "the name of the node this agent runs on")
                .require(
                        SpiffeId.of(trustDomain, "ns", "sa").isPresent(),
                        "TRUST_DOMAIN",
                        trustDomain,
                        "one or more of a-z A-Z 0-9 . _ -")
                .done();
        metadata = Map.copyOf(metadata);
    }
}
