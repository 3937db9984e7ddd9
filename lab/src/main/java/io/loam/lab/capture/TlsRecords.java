package io.loam.lab.capture;

/// The outside of TLS: its records (RFC 8446, 5.1). What is in them cannot be seen, but that there is nothing between
/// them can.
final class TlsRecords {
    private static final int HEADER_BYTES = 5;
    private static final int CHANGE_CIPHER_SPEC = 20;
    private static final int APPLICATION_DATA = 23;
    private static final int MAX_RECORD_BYTES = (16 << 10) + 256;

    private TlsRecords() {}

    /// @return whether these are records and nothing else; the last one may be cut off
    static boolean fill(ByteStream stream) {
        if (stream.pieces().size() != 1) {
            return false;
        }
        var bytes = stream.pieces().getFirst();
        int at = 0;
        while (bytes.length - at >= HEADER_BYTES) {
            int type = bytes[at] & 0xff;
            int length = (bytes[at + 3] & 0xff) << 8 | (bytes[at + 4] & 0xff);
            if (type < CHANGE_CIPHER_SPEC
                    || type > APPLICATION_DATA
                    || bytes[at + 1] != 3
                    || length > MAX_RECORD_BYTES) {
                return false;
            }
            at += HEADER_BYTES + length;
        }
        return at > 0;
    }
}
