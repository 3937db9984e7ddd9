package io.loam.model.address;

import java.net.Inet4Address;
import java.net.InetAddress;

/// A range of addresses of one family, `10.0.0.0/8` or `fd00::/8`. A single host is a block of full length.
///
/// @param address first address; bits beyond the prefix are ignored when matching
/// @param prefixLength 0 to 32 for IPv4, 0 to 128 for IPv6
public record CidrBlock(InetAddress address, int prefixLength) {
    private static final int MAPPED_PREFIX_BITS = 96;

    public CidrBlock {
        int longest = address.getAddress().length * 8;
        if (prefixLength < 0 || prefixLength > longest) {
            throw new IllegalArgumentException("prefix length of " + address.getHostAddress() + ": " + prefixLength
                    + " (expected: 0 to " + longest + ")");
        }
    }

    /// A block that holds just this address.
    public static CidrBlock host(InetAddress address) {
        return new CidrBlock(address, address.getAddress().length * 8);
    }

    /// Reads `address` or `address/length`; never resolves names. Numbers in their one spelling only: some
    /// programs read `010.0.0.1` as 8.0.0.1 and `10.1` as 10.0.0.1, and a policy must not depend on whose
    /// reading it is. An IPv6 block inside ::ffff:0:0/96 is the IPv4 block that it stands for.
    ///
    /// @throws IllegalArgumentException with the value and what was expected
    public static CidrBlock parse(String text) {
        int slash = text.indexOf('/');
        var literal = slash < 0 ? text : text.substring(0, slash);
        try {
            var address = InetAddress.ofLiteral(literal);
            boolean v4 = address instanceof Inet4Address;
            boolean mapped = v4 && literal.indexOf(':') >= 0;
            boolean decorated = literal.indexOf('%') >= 0 || literal.indexOf('[') >= 0;
            if (decorated || (v4 && !mapped && !address.getHostAddress().equals(literal))) {
                throw new IllegalArgumentException("another spelling of " + address.getHostAddress());
            }
            if (slash < 0) {
                return host(address);
            }
            var length = text.substring(slash + 1);
            int bits = Integer.parseInt(length);
            if (!length.equals(Integer.toString(bits))) {
                throw new IllegalArgumentException("another spelling of " + bits);
            }
            return new CidrBlock(address, mapped ? bits - MAPPED_PREFIX_BITS : bits);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "\"" + text + "\" (expected: an IP address or CIDR block such as 10.0.0.0/8 or fd00::/8)", e);
        }
    }

    /// Whether the block holds a single address.
    public boolean isHost() {
        return prefixLength == (address instanceof Inet4Address ? 32 : 128);
    }

    /// Whether `candidate` is of the same family and inside the block. Allocates (a copy of the address): for
    /// decisions per packet or request use the compiled form, {@link MaskedBlock}.
    public boolean contains(InetAddress candidate) {
        byte[] a = address.getAddress();
        byte[] b = candidate.getAddress();
        if (a.length != b.length) {
            return false;
        }
        int whole = prefixLength / 8;
        for (int i = 0; i < whole; i++) {
            if (a[i] != b[i]) {
                return false;
            }
        }
        int rest = prefixLength % 8;
        return rest == 0 || ((a[whole] ^ b[whole]) & 0xff) >>> (8 - rest) == 0;
    }

    @Override
    public String toString() {
        return address.getHostAddress() + "/" + prefixLength;
    }
}
