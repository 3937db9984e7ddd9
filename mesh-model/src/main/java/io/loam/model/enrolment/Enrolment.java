package io.loam.model.enrolment;

import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Whether a pod belongs to the mesh, and why (wire reference, 6.1).
public enum Enrolment {
    POD_LABEL(true, "the pod asks for it"),
    NAMESPACE_LABEL(true, "its namespace asks for it"),
    NOT_ASKED_FOR(false, "neither pod nor namespace ask for it"),
    OPTED_OUT(false, "the pod opts out"),
    HOST_NETWORK(false, "it uses its node's network"),
    SIDECAR(false, "it has a sidecar"),
    OWN_TUNNEL(false, "it ends tunnels itself"),
    EXCLUDED_NAMESPACE(false, "its namespace is never part of the mesh");

    /// Set on a namespace or a pod: `ambient` or `none`.
    public static final String MODE_LABEL = "loam.io/dataplane-mode";
    /// Read as well; the own label wins where both are set on one object.
    public static final String ISTIO_MODE_LABEL = "istio.io/dataplane-mode";

    /// On pods that speak HBONE themselves, as waypoints do: two listeners for it cannot be.
    public static final String OWN_TUNNEL_LABEL = "networking.istio.io/tunnel";

    public static final String OWN_TUNNEL_MODE = "http";

    public static final String MODE_AMBIENT = "ambient";
    public static final String MODE_NONE = "none";

    private static final String SIDECAR_ANNOTATION = "sidecar.istio.io/status";
    private static final Set<String> EXCLUDED_NAMESPACES = Set.of("kube-system");

    private final boolean enrolled;
    private final String reason;

    Enrolment(boolean enrolled, String reason) {
        this.enrolled = enrolled;
        this.reason = reason;
    }

    /// @param hostNetwork whether the pod shares its node's network namespace
    public static Enrolment decide(
            Map<String, String> podLabels,
            Map<String, String> podAnnotations,
            String namespace,
            Map<String, String> namespaceLabels,
            boolean hostNetwork) {
        if (EXCLUDED_NAMESPACES.contains(namespace)) {
            return EXCLUDED_NAMESPACE;
        }
        if (hostNetwork) {
            return HOST_NETWORK;
        }
        if (podAnnotations.containsKey(SIDECAR_ANNOTATION)) {
            return SIDECAR;
        }
        if (OWN_TUNNEL_MODE.equals(podLabels.get(OWN_TUNNEL_LABEL))) {
            return OWN_TUNNEL;
        }
        var podMode = mode(podLabels);
        if (MODE_AMBIENT.equals(podMode)) {
            return POD_LABEL;
        }
        if (!MODE_AMBIENT.equals(mode(namespaceLabels))) {
            return NOT_ASKED_FOR;
        }
        return MODE_NONE.equals(podMode) ? OPTED_OUT : NAMESPACE_LABEL;
    }

    private static @Nullable String mode(Map<String, String> labels) {
        var own = labels.get(MODE_LABEL);
        return own != null ? own : labels.get(ISTIO_MODE_LABEL);
    }

    public boolean enrolled() {
        return enrolled;
    }

    /// A clause for people, to follow "because".
    public String reason() {
        return reason;
    }
}
