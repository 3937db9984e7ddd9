package io.loam.controlplane.xds;

import java.time.Instant;
import java.util.Map;

/// A connected proxy, for operators.
///
/// @param id as the proxy calls itself
/// @param node where it runs; "" where neither its token nor itself says so
/// @param account `namespace/name` of the service account it proved to be
/// @param types only those it has subscribed to
public record ProxyStatus(
        String id, String node, String account, Instant connectedSince, Map<ResourceType, TypeStatus> types) {
    public ProxyStatus {
        types = Map.copyOf(types);
    }

    /// Whether it has confirmed everything up to a generation, for both types.
    public boolean hasGeneration(long generation) {
        for (var type : ResourceType.values()) {
            var status = types.get(type);
            if (status == null || status.acknowledgedGeneration() < generation) {
                return false;
            }
        }
        return true;
    }

    /// @param acknowledgedGeneration the newest state of the mesh it answered for, rejections included
    /// @param lastRejection "" = none; otherwise names what the proxy could not use, and why
    public record TypeStatus(long acknowledgedGeneration, long rejections, String lastRejection) {}
}
