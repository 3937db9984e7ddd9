package io.loam.protocol.header;

import java.util.HexFormat;
import java.util.Optional;
import java.util.random.RandomGenerator;

/// The `traceparent` field (W3C Trace Context, 3.2), version 00.
///
/// @param traceId 32 lower-case hexadecimal digits, not all zero
/// @param spanId 16 lower-case hexadecimal digits, not all zero
/// @param flags one byte, 0 to 255; bit 0 is "sampled"
public record TraceParent(String traceId, String spanId, int flags) {
    public static final String HEADER = "traceparent";

    private static final int LENGTH = 55;
    private static final HexFormat HEX = HexFormat.of();

    /// A trace of its own for a connection, not sampled.
    public static TraceParent fresh(RandomGenerator random) {
        return new TraceParent(
                HEX.toHexDigits(random.nextLong()) + HEX.toHexDigits(random.nextLong() | 1), // never all zero
                HEX.toHexDigits(random.nextLong() | 1),
                0);
    }

    /// @return empty unless the text is exactly 55 characters of version 00 with valid ids
    public static Optional<TraceParent> parse(CharSequence header) {
        if (header.length() != LENGTH) {
            return Optional.empty();
        }
        var text = header.toString();
        if (!text.startsWith("00-") || text.charAt(35) != '-' || text.charAt(52) != '-') {
            return Optional.empty();
        }
        var traceId = text.substring(3, 35);
        var spanId = text.substring(36, 52);
        var flags = text.substring(53);
        if (!isId(traceId) || !isId(spanId) || !isHex(flags)) {
            return Optional.empty();
        }
        return Optional.of(new TraceParent(traceId, spanId, HexFormat.fromHexDigits(flags)));
    }

    /// The same trace seen from the next hop.
    public TraceParent child(RandomGenerator random) {
        return new TraceParent(traceId, HEX.toHexDigits(random.nextLong() | 1), flags);
    }

    public String header() {
        return "00-" + traceId + "-" + spanId + "-" + HEX.toHexDigits((byte) flags);
    }

    private static boolean isId(String digits) {
        return isHex(digits) && digits.chars().anyMatch(c -> c != '0');
    }

    private static boolean isHex(String digits) {
        return digits.chars().allMatch(c -> (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
    }
}
