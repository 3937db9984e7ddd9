package io.loam.model.address;

/// A {@link CidrBlock} as numbers, to be compared with many addresses. Comparing allocates nothing.
///
/// @param high first 64 bits of the lowest address, laid out as in {@link IpBits}
/// @param low the other bits of an IPv6 address
public record MaskedBlock(boolean v6, long high, long low, long highMask, long lowMask) {
    public static MaskedBlock of(CidrBlock block) {
        var bits = IpBits.of(block.address());
        long highMask = mask(block.prefixLength());
        long lowMask = mask(block.prefixLength() - Long.SIZE);
        return new MaskedBlock(bits.v6(), bits.high() & highMask, bits.low() & lowMask, highMask, lowMask);
    }

    private static long mask(int ones) {
        if (ones <= 0) {
            return 0;
        }
        return ones >= Long.SIZE ? -1L : -1L << (Long.SIZE - ones);
    }

    /// Whether `address` is of the same family and inside the block.
    public boolean contains(IpBits address) {
        return v6 == address.v6() && (address.high() & highMask) == high && (address.low() & lowMask) == low;
    }
}
