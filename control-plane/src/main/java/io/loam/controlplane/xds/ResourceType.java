package io.loam.controlplane.xds;

import java.util.Optional;

/// What can be subscribed to, in the order in which a change is sent: policies may name nothing a proxy has not
/// heard of.
public enum ResourceType {
    ADDRESS("type.googleapis.com/istio.workload.Address"),
    AUTHORIZATION("type.googleapis.com/istio.security.Authorization");

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
