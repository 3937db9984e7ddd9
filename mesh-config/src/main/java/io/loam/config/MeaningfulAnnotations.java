package io.loam.config;

import io.loam.config.object.EgressMode;
import io.loam.config.yaml.YamlScalar;
import io.loam.model.address.CidrBlock;

/// Annotations whose values mean something to the mesh, on whatever object they stand.
final class MeaningfulAnnotations {
    /// See {@link io.loam.config.compile.Waypoints}.
    private static final String WAYPOINT_BYPASS = "loam.io/waypoint-bypass";

    private MeaningfulAnnotations() {}

    /// Rejects a value that would not be understood where it counts.
    static void check(String key, YamlScalar value) {
        switch (key) {
            case EgressMode.ANNOTATION -> {
                if (!EgressMode.NAMES.containsKey(value.text())) {
                    value.reject("ALLOW_ANY or REGISTRY_ONLY");
                }
            }
            case WAYPOINT_BYPASS -> {
                if (!value.text().equals("allow") && !value.text().equals("deny")) {
                    value.reject("allow or deny");
                }
            }
            case "loam.io/exclude-outbound-ports",
                    "loam.io/exclude-inbound-ports",
                    "traffic.sidecar.istio.io/excludeOutboundPorts",
                    "traffic.sidecar.istio.io/excludeInboundPorts" -> checkPorts(value);
            case "loam.io/exclude-outbound-ip-ranges", "traffic.sidecar.istio.io/excludeOutboundIPRanges" ->
                checkBlocks(value);
            default -> {}
        }
    }

    private static void checkPorts(YamlScalar value) {
        for (var part : parts(value)) {
            int port = 0;
            try {
                port = Integer.parseInt(part.strip());
            } catch (NumberFormatException _) {
                // answered below, as a number out of range is
            }
            if (port < 1 || port > PodReader.LAST_PORT) {
                value.reject("ports from 1 to 65535 separated by commas");
                return;
            }
        }
    }

    private static void checkBlocks(YamlScalar value) {
        for (var part : parts(value)) {
            try {
                CidrBlock.parse(part.strip());
            } catch (IllegalArgumentException _) {
                value.reject("IP addresses or CIDR blocks such as 10.0.0.0/8, separated by commas");
                return;
            }
        }
    }

    private static String[] parts(YamlScalar value) {
        return value.text().isBlank() ? new String[0] : value.text().split(",", -1);
    }
}
