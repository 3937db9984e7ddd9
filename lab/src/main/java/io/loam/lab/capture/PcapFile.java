package io.loam.lab.capture;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/// A file of libpcap's format (draft-ietf-opsawg-pcap), either byte order, micro- or nanoseconds.
///
/// @param linkType what the frames start with
/// @param frames the bytes of each packet, up to the recorder's snap length
record PcapFile(LinkType linkType, List<byte[]> frames) {
    private static final int MAGIC_MICROSECONDS = 0xa1b2c3d4;
    private static final int MAGIC_NANOSECONDS = 0xa1b23c4d;
    private static final int FILE_HEADER_BYTES = 24;
    private static final int PACKET_HEADER_BYTES = 16;

    /// What libpcap itself takes for the largest sane packet.
    private static final int MAX_PACKET_BYTES = 256 * 1024;

    /// Number in the file header → bytes before the network protocol's header.
    enum LinkType {
        ETHERNET(1),
        RAW_IP(101),
        LINUX_COOKED(113),
        LINUX_COOKED_2(276);

        private final int number;

        LinkType(int number) {
            this.number = number;
        }

        private static LinkType of(int number) throws IOException {
            for (var type : values()) {
                if (type.number == number) {
                    return type;
                }
            }
            throw new IOException("pcap link type: " + number + " (expected: 1, 101, 113 or 276)");
        }
    }

    PcapFile {
        frames = List.copyOf(frames);
    }

    static PcapFile read(byte[] file) throws IOException {
        if (file.length < FILE_HEADER_BYTES) {
            throw new IOException("pcap: " + file.length + " bytes (expected: a header of " + FILE_HEADER_BYTES + ")");
        }
        var in = ByteBuffer.wrap(file).order(byteOrder(file));
        var linkType = LinkType.of(in.getInt(20) & 0x0fff_ffff); // the upper bits tell about frame checksums
        in.position(FILE_HEADER_BYTES);
        var frames = new ArrayList<byte[]>();
        while (in.remaining() >= PACKET_HEADER_BYTES) {
            var length = in.getInt(in.position() + 8);
            if (length < 0 || length > MAX_PACKET_BYTES) {
                throw new IOException("pcap: packet " + frames.size() + " of " + length + " bytes (expected: 0 to "
                        + MAX_PACKET_BYTES + ")");
            }
            if (in.remaining() < PACKET_HEADER_BYTES + length) {
                break; // still being written
            }
            var frame = new byte[length];
            in.position(in.position() + PACKET_HEADER_BYTES).get(frame);
            frames.add(frame);
        }
        return new PcapFile(linkType, frames);
    }

    private static ByteOrder byteOrder(byte[] file) throws IOException {
        for (var order : new ByteOrder[] {ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN}) {
            var magic = ByteBuffer.wrap(file).order(order).getInt();
            if (magic == MAGIC_MICROSECONDS || magic == MAGIC_NANOSECONDS) {
                return order;
            }
        }
        throw new IOException("pcap: unknown magic number (expected: a file of libpcap's classic format)");
    }
}
