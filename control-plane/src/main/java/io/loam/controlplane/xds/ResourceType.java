package io.loam.controlplane.xds;

import io.loam.protocol.xds.ResourceNames;
import java.util.Optional;

/// What can be subscribed to, in the order in which a change is sent: policies first, so that a workload is never
/// served before the policies that came with it are known.
public enum ResourceType {
    AUTHORIZATION(ResourceNames.AUTHORIZATION_TYPE),
    ADDRESS(ResourceNames.ADDRESS_TYPE);

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
