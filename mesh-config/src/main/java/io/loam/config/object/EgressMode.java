package io.loam.config.object;

import java.util.Map;
import java.util.TreeMap;

/// `outboundTrafficPolicy.mode` as users write it, wherever they write it.
public enum EgressMode {
    /// Not written: what is around decides.
    UNSPECIFIED,
    ALLOW_ANY,
    REGISTRY_ONLY;

    /// On a pod or a namespace.
    public static final String ANNOTATION = "loam.io/outbound-traffic-policy";

    public static final Map<String, EgressMode> NAMES =
            new TreeMap<>(Map.of("ALLOW_ANY", ALLOW_ANY, "REGISTRY_ONLY", REGISTRY_ONLY));

    /// @return UNSPECIFIED for what is neither; reading has said so
    public static EgressMode of(Map<String, String> annotations) {
        return NAMES.getOrDefault(annotations.getOrDefault(ANNOTATION, ""), UNSPECIFIED);
    }
}
