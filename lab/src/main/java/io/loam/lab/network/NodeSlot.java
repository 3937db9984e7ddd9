package io.loam.lab.network;

import static io.loam.lab.network.LabAddresses.address;

import java.net.InetAddress;
import java.util.List;

/// A node's place in the lab's address plan; it keeps it as long as the lab lives.
///
/// @param index 1 to 200
public record NodeSlot(String name, int index) {
    public static final int MOST_NODES = 200;

    /// Addresses of pods in a node's range: 2 to this.
    static final int LAST_POD = 254;

    public NodeSlot {
        if (index < 1 || index > MOST_NODES) {
            throw new IllegalArgumentException("node " + name + ": index " + index + " (expected: 1 to " + MOST_NODES
                    + "; a lab cannot have more nodes)");
        }
    }

    public InetAddress ipv4() {
        return address("172.20.0." + (10 + index));
    }

    public InetAddress ipv6() {
        return address("fd00:20::" + Integer.toHexString(10 + index));
    }

    public List<InetAddress> ips() {
        return List.of(ipv4(), ipv6());
    }

    public String podRangeIpv4() {
        return "10.244." + index + ".0/24";
    }

    public String podRangeIpv6() {
        return "fd00:244:" + Integer.toHexString(index) + "::/64";
    }

    /// @param number 2 to 254
    public InetAddress podIpv4(int number) {
        return address("10.244." + index + "." + number);
    }

    public InetAddress podIpv6(int number) {
        return address("fd00:244:" + Integer.toHexString(index) + "::" + Integer.toHexString(number));
    }

    /// Name of the fabric's end of the uplink.
    public String fabricPort() {
        return "n" + index;
    }
}
