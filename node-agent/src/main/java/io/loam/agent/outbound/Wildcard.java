package io.loam.agent.outbound;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;

/// "Any address" of a family, by which the kernel is left to choose.
final class Wildcard {
    private static final InetAddress V4 = any(4);
    private static final InetAddress V6 = any(16);

    private Wildcard() {}

    static InetAddress like(InetAddress example) {
        return example instanceof Inet6Address ? V6 : V4;
    }

    private static InetAddress any(int length) {
        try {
            return InetAddress.getByAddress(new byte[length]);
        } catch (UnknownHostException e) {
            throw new IllegalStateException("4 and 16 bytes are addresses", e);
        }
    }
}
