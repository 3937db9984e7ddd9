package io.loam.runtime.xds;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.ListValue;
import com.google.protobuf.NullValue;
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
        config.metadata().forEach((name, value) -> metadata.putFields(name, json(value)));
        return Node.newBuilder()
                .setId("ztunnel~" + config.instanceIp() + "~" + config.podName() + "." + config.podNamespace() + "~"
                        + config.podNamespace() + ".svc." + config.clusterDomain())
                .setMetadata(metadata)
                .build();
    }

    private static Value json(JsonNode node) {
        return switch (node.getNodeType()) {
            case STRING -> text(node.textValue());
            case NUMBER -> Value.newBuilder().setNumberValue(node.doubleValue()).build();
            case BOOLEAN -> Value.newBuilder().setBoolValue(node.booleanValue()).build();
            case ARRAY -> {
                var list = ListValue.newBuilder();
                node.forEach(item -> list.addValues(json(item)));
                yield Value.newBuilder().setListValue(list).build();
            }
            case OBJECT -> {
                var struct = Struct.newBuilder();
                node.properties().forEach(field -> struct.putFields(field.getKey(), json(field.getValue())));
                yield Value.newBuilder().setStructValue(struct).build();
            }
            case NULL, MISSING, BINARY, POJO -> // of these, text has nulls only
                Value.newBuilder().setNullValue(NullValue.NULL_VALUE).build();
        };
    }

    private static Value text(String value) {
        return Value.newBuilder().setStringValue(value).build();
    }
}
