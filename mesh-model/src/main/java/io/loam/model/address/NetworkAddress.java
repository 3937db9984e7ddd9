package io.loam.model.address;

import java.net.InetAddress;

/// An IP address together with the network it is valid in: two clusters may use the same pod addresses.
///
/// @param network name of the network; "" is the default network
/// @param address never a v4-mapped IPv6 address ({@link InetAddress#getByAddress} folds those to IPv4)
public record NetworkAddress(String network, InetAddress address) {
    /// `network/ip`, the alias on the wire.
    @Override
    public String toString() {
        return network + "/" + IpBits.of(address);
    }
}
