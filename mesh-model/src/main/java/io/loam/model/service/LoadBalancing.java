package io.loam.model.service;

import java.util.List;

/// How connections to a service spread over its endpoints (wire reference, 3.4).
public record LoadBalancing(List<Scope> preferences, Mode mode, HealthPolicy health) {
    /// All healthy endpoints, no preference.
    public static final LoadBalancing ANY = new LoadBalancing(List.of(), Mode.UNSPECIFIED, HealthPolicy.ONLY_HEALTHY);

    public LoadBalancing {
        preferences = List.copyOf(preferences);
    }

    /// What source and endpoint may have in common, from wide to narrow.
    public enum Scope {
        REGION,
        ZONE,
        SUBZONE,
        NODE,
        CLUSTER,
        NETWORK
    }

    public enum Mode {
        /// All candidates.
        UNSPECIFIED,
        /// Only candidates that match every preference.
        STRICT,
        /// The candidates that match the most leading preferences.
        FAILOVER,
        /// Not balanced: the original destination is dialled.
        PASSTHROUGH
    }

    public enum HealthPolicy {
        ONLY_HEALTHY,
        /// Endpoints that are not ready count too (`publishNotReadyAddresses`).
        ALLOW_ALL
    }
}
