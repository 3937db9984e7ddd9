package io.loam.model.dns;

import java.net.Inet4Address;
import java.net.InetAddress;

/// The two kinds of records that the mesh answers; all others are somebody else's (wire reference, section
/// 9).
public enum AddressFamily {
    /// Records of type A.
    IPV4,
    /// Records of type AAAA.
    IPV6;

    boolean has(InetAddress address) {
        return (this == IPV4) == (address instanceof Inet4Address);
    }
}
