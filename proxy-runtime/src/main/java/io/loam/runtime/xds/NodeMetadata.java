package io.loam.runtime.xds;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import io.loam.protocol.proto.discovery.Node;
import io.loam.runtime.config.NodeConfig;

/// Who we say we are (wire reference, 4.1). The literal `ztunnel~` is what makes istiod serve a node proxy.
final class NodeMetadata {
    private NodeMetadata() {}

    static Node of(NodeConfig config) {
        var metadata = Struct.newBuilder()
                .putFields("NAME", text(config.podName()))
                .putFields("NAMESPACE", text(config.podNamespace()))
                .putFields("INSTANCE_IPS", text(config.instanceIp()))
                .putFields("NODE_NAME", text(config.nodeName()))
                .putFields("CLUSTER_ID", text(config.clusterId()));
        config.metadata().forEach((name, value) -> metadata.putFields(name, text(value)));
        return Node.newBuilder()
                .setId("ztunnel~" + config.instanceIp() + "~" + config.podName() + "." + config.podNamespace() + "~"
                        + config.podNamespace() + ".svc." + config.clusterDomain())
                .setMetadata(metadata)
                .build();
    }

    private static Value text(String value) {
        return Value.newBuilder().setStringValue(value).build();
    }
}
