package io.loam.model.address;

import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// An address as numbers, so that it can be compared with CIDR blocks again and again without a copy of its
/// bytes ({@link InetAddress#getAddress} makes one each time).
///
/// @param v6 whether it is an IPv6 address
/// @param high the first 64 bits; of an IPv4 address its 32 bits, followed by zeros
/// @param low the last 64 bits of an IPv6 address, otherwise 0
public record IpBits(boolean v6, long high, long low) {
    private static final int GROUPS = 8;

    public static IpBits of(InetAddress address) {
        return switch (address) {
            // the hash of an IPv4 address is the address, in host order (documented by Inet4Address)
            case Inet4Address v4 -> new IpBits(false, (long) v4.hashCode() << 32, 0);
            case Inet6Address v6 -> {
                var bytes = ByteBuffer.wrap(v6.getAddress()).order(ByteOrder.BIG_ENDIAN);
                yield new IpBits(true, bytes.getLong(), bytes.getLong());
            }
            default -> throw new IllegalArgumentException(address + " (expected: an IPv4 or IPv6 address)");
        };
    }

    public InetAddress toInetAddress() {
        var bytes = v6
                ? ByteBuffer.allocate(16).putLong(high).putLong(low)
                : ByteBuffer.allocate(4).putInt((int) (high >>> 32));
        try {
            return InetAddress.getByAddress(bytes.array());
        } catch (UnknownHostException e) {
            throw new AssertionError("4 and 16 bytes are addresses", e);
        }
    }

    /// The text form of RFC 5952, which peers write and name resources with: the longest run of at least two
    /// zero groups becomes `::`, the first one if several are equally long ({@link InetAddress#getHostAddress}
    /// writes all).
    @Override
    public String toString() {
        return v6 ? compressed() : toInetAddress().getHostAddress();
    }

    private String compressed() {
        int runStart = -1;
        int runLength = 1;
        for (int i = 0; i < GROUPS; i++) {
            int length = 0;
            while (i + length < GROUPS && group(i + length) == 0) {
                length++;
            }
            if (length > runLength) {
                runStart = i;
                runLength = length;
            }
            i += length;
        }
        var text = new StringBuilder(39);
        for (int i = 0; i < GROUPS; i++) {
            if (i == runStart) {
                text.append("::");
                i += runLength - 1;
                continue;
            }
            if (!text.isEmpty() && text.charAt(text.length() - 1) != ':') {
                text.append(':');
            }
            text.append(Integer.toHexString(group(i)));
        }
        return text.toString();
    }

    /// 16 bits, counted from the front.
    private int group(int index) {
        return (int) ((index < 4 ? high : low) >>> (48 - 16 * (index & 3))) & 0xffff;
    }
}
