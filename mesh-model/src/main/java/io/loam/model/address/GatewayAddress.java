package io.loam.model.address;

/// How to reach a waypoint or an east-west gateway.
///
/// @param hbonePort 1 to 65535; 0, which is what a peer sends that leaves it out, stands for 15008
public record GatewayAddress(Destination destination, int hbonePort) {
    private static final int DEFAULT_HBONE_PORT = 15008;

    public GatewayAddress {
        if (hbonePort == 0) {
            hbonePort = DEFAULT_HBONE_PORT;
        }
        if (hbonePort < 0 || hbonePort > 65535) {
            throw new IllegalArgumentException("hbone port: " + hbonePort + " (expected: 0 to 65535)");
        }
    }

    /// A gateway is named by the service in front of it or by an address.
    public sealed interface Destination {
        record ByHostname(NamespacedHostname service) implements Destination {}

        record ByAddress(NetworkAddress address) implements Destination {}

        /// The name on the wire that a control plane can be asked for it by.
        default String resourceName() {
            return switch (this) {
                case ByHostname(var service) -> service.toString();
                case ByAddress(var address) -> address.toString();
            };
        }
    }
}
