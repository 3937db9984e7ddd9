package io.loam.lab.network;

import java.net.InetAddress;
import java.net.UnknownHostException;

/// The addresses that are the same in every lab.
public final class LabAddresses {
    /// Of the fabric: control plane, CA, and the way to the outside.
    public static final InetAddress FABRIC_IPV4 = address("172.20.0.1");

    public static final InetAddress FABRIC_IPV6 = address("fd00:20::1");

    /// Of the cluster's DNS server, in the fabric.
    public static final InetAddress DNS_IPV4 = address("10.96.0.10");

    public static final InetAddress DNS_IPV6 = address("fd00:96::a");

    /// Stand for the world beyond the cluster (RFC 5737 and RFC 3849 keep them free), in the fabric.
    public static final InetAddress OUTSIDE_IPV4 = address("203.0.113.1");

    public static final InetAddress OUTSIDE_IPV6 = address("2001:db8:113::1");

    /// Of services.
    public static final String SERVICES_IPV4 = "10.96.0.0/16";

    public static final String SERVICES_IPV6 = "fd00:96::/112";

    /// What every pod sees as its gateway; each pod has it at the other end of its own link.
    static final String POD_GATEWAY_IPV4 = "169.254.1.1";

    static final String POD_GATEWAY_IPV6 = "fe80::1";

    private LabAddresses() {}

    /// @param literal never a host name
    static InetAddress address(String literal) {
        try {
            return InetAddress.getByName(literal);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("address: " + literal + " (expected: an IP literal)", e);
        }
    }
}
