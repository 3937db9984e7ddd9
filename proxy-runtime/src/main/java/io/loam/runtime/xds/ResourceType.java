package io.loam.runtime.xds;

import io.loam.protocol.xds.ResourceNames;
import java.util.Optional;

/// What a node proxy subscribes to, in the order of the first requests.
enum ResourceType {
    /// Workloads and services.
    ADDRESS(ResourceNames.ADDRESS_TYPE),
    AUTHORIZATION(ResourceNames.AUTHORIZATION_TYPE);

    private final String url;

    ResourceType(String url) {
        this.url = url;
    }

    String url() {
        return url;
    }

    static Optional<ResourceType> of(String url) {
        for (var type : values()) {
            if (type.url.equals(url)) {
                return Optional.of(type);
            }
        }
        return Optional.empty();
    }
}
