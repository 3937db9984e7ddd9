package io.loam.lab.capture;

import java.util.Arrays;

/// Searching and joining byte arrays.
final class Bytes {
    private Bytes() {}

    /// @return whether `wanted` occurs in `bytes`; an empty `wanted` does
    static boolean contains(byte[] bytes, byte[] wanted) {
        for (var start = 0; start + wanted.length <= bytes.length; start++) {
            if (Arrays.equals(bytes, start, start + wanted.length, wanted, 0, wanted.length)) {
                return true;
            }
        }
        return false;
    }

    /// `first`, then the first `count` bytes of `second`.
    static byte[] join(byte[] first, byte[] second, int count) {
        var joined = Arrays.copyOf(first, first.length + count);
        System.arraycopy(second, 0, joined, first.length, count);
        return joined;
    }
}
