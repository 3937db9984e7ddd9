package io.loam.config.object;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// A Gateway of the Gateway API. Those of a waypoint's class say that there is a waypoint, for whom, and who
/// may use it.
///
/// @param addresses asked for: IP addresses or host names; empty = the service of the Gateway's name
/// @param admits who may use it, of the listener for HBONE
public record GatewayObject(ObjectMeta meta, String className, List<String> addresses, Admission admits)
        implements MeshObject {
    /// Pods of a gateway bear its name under this label.
    public static final String NAME_LABEL = "gateway.networking.k8s.io/gateway-name";

    public static final int HBONE_PORT = 15008;

    private static final Set<String> WAYPOINT_CLASSES = Set.of("istio-waypoint", "loam-waypoint");
    private static final List<String> FOR_LABELS = List.of("loam.io/waypoint-for", "istio.io/waypoint-for");

    public GatewayObject {
        addresses = List.copyOf(addresses);
    }

    public boolean isWaypoint() {
        return WAYPOINT_CLASSES.contains(className);
    }

    /// What kind of traffic passes it; empty where its label says something else than reading allows.
    public Optional<WaypointFor> waypointFor() {
        for (var label : FOR_LABELS) {
            var written = meta.labels().get(label);
            if (written != null) {
                return WaypointFor.parse(written);
            }
        }
        return Optional.of(WaypointFor.SERVICE);
    }

    /// `istio.io/waypoint-for` and `loam.io/waypoint-for`.
    public enum WaypointFor {
        SERVICE,
        WORKLOAD,
        ALL,
        NONE;

        public static Optional<WaypointFor> parse(String text) {
            return switch (text) {
                case "service" -> Optional.of(SERVICE);
                case "workload" -> Optional.of(WORKLOAD);
                case "all" -> Optional.of(ALL);
                case "none" -> Optional.of(NONE);
                default -> Optional.empty();
            };
        }

        public boolean services() {
            return this == SERVICE || this == ALL;
        }

        public boolean workloads() {
            return this == WORKLOAD || this == ALL;
        }
    }

    /// `allowedRoutes.namespaces`.
    ///
    /// @param selector labels of namespaces, for SELECTOR
    public record Admission(From from, Map<String, String> selector) {
        public static final Admission SAME = new Admission(From.SAME, Map.of());

        public Admission {
            selector = Map.copyOf(selector);
        }

        public enum From {
            SAME,
            ALL,
            SELECTOR
        }
    }
}
