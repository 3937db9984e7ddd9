package io.loam.controlplane.xds;

import io.loam.protocol.xds.ResourceNames;
import java.util.Optional;

/// What can be subscribed to, in the order in which a change is sent: policies may name nothing a proxy has not
/// heard of.
public enum ResourceType {
    ADDRESS(ResourceNames.ADDRESS_TYPE),
    AUTHORIZATION(ResourceNames.AUTHORIZATION_TYPE);

    private final String typeUrl;

    ResourceType(String typeUrl) {
        this.typeUrl = typeUrl;
    }

    public String typeUrl() {
        return typeUrl;
    }

    static Optional<ResourceType> of(String typeUrl) {
        for (var type : values()) {
            if (type.typeUrl.equals(typeUrl)) {
                return Optional.of(type);
            }
        }
        return Optional.empty();
    }
}
