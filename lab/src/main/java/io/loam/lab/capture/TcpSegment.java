package io.loam.lab.capture;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.Optional;

/// One TCP segment as it passed the link.
///
/// @param sequence number of the first byte of the payload, or of the SYN, unsigned
/// @param syn opens its direction
/// @param ack acknowledges the other direction; a SYN without it comes from the client
/// @param payload what the segment carries, up to the recorder's snap length
@SuppressWarnings("ArrayRecordComponent") // never compared, and packets are many
record TcpSegment(
        InetSocketAddress source,
        InetSocketAddress destination,
        int sequence,
        boolean syn,
        boolean ack,
        byte[] payload) {
    private static final int ETHERTYPE_IPV4 = 0x0800;
    private static final int ETHERTYPE_IPV6 = 0x86dd;
    private static final int ETHERTYPE_VLAN = 0x8100;
    private static final int PROTOCOL_TCP = 6;
    private static final int FLAG_SYN = 0x02;
    private static final int FLAG_ACK = 0x10;

    /// @return empty for everything that is not the whole headers of a TCP segment
    static Optional<TcpSegment> parse(PcapFile.LinkType linkType, byte[] frame) {
        var in = ByteBuffer.wrap(frame);
        var headerBytes = switch (linkType) {
            case ETHERNET -> 14;
            case RAW_IP -> 0;
            case LINUX_COOKED -> 16;
            case LINUX_COOKED_2 -> 20;
        };
        if (frame.length <= headerBytes) {
            return Optional.empty();
        }
        var etherType = switch (linkType) {
            case ETHERNET -> unsigned(in.getShort(12));
            case RAW_IP -> (frame[0] & 0xf0) == 0x60 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
            case LINUX_COOKED -> unsigned(in.getShort(14));
            case LINUX_COOKED_2 -> unsigned(in.getShort(0));
        };
        in.position(headerBytes);
        if (etherType == ETHERTYPE_VLAN && in.remaining() > 4) {
            in.getShort();
            etherType = unsigned(in.getShort());
        }
        return switch (etherType) {
            case ETHERTYPE_IPV4 -> ipv4(in.slice());
            case ETHERTYPE_IPV6 -> ipv6(in.slice());
            default -> Optional.empty();
        };
    }

    private static Optional<TcpSegment> ipv4(ByteBuffer packet) {
        if (packet.remaining() < 20) {
            return Optional.empty();
        }
        var headerBytes = (packet.get(0) & 0x0f) * 4;
        var laterFragment = (unsigned(packet.getShort(6)) & 0x1fff) != 0;
        if (headerBytes < 20 || headerBytes > packet.remaining() || packet.get(9) != PROTOCOL_TCP || laterFragment) {
            return Optional.empty();
        }
        var source = address(packet, 12, 4);
        var destination = address(packet, 16, 4);
        var totalBytes = unsigned(packet.getShort(2)); // what follows it in the frame is Ethernet's padding
        return totalBytes != 0 && totalBytes < headerBytes
                ? Optional.empty()
                : tcp(source, destination, payload(packet, headerBytes, totalBytes));
    }

    private static Optional<TcpSegment> ipv6(ByteBuffer packet) {
        if (packet.remaining() < 40) {
            return Optional.empty();
        }
        var payloadBytes = unsigned(packet.getShort(4));
        var next = packet.get(6) & 0xff;
        var offset = 40;
        while (next != PROTOCOL_TCP) {
            var known = next == 0 || next == 43 || next == 60; // hop-by-hop, routing, destination options: RFC 8200, 4
            if (!known || packet.remaining() < offset + 8) {
                return Optional.empty();
            }
            next = packet.get(offset) & 0xff;
            offset += ((packet.get(offset + 1) & 0xff) + 1) * 8;
        }
        var totalBytes = payloadBytes == 0 ? 0 : 40 + payloadBytes;
        return offset > packet.remaining() || (totalBytes != 0 && totalBytes < offset)
                ? Optional.empty()
                : tcp(address(packet, 8, 16), address(packet, 24, 16), payload(packet, offset, totalBytes));
    }

    /// @param totalBytes 0 where the kernel left it out because the segment is too large for the field
    private static ByteBuffer payload(ByteBuffer packet, int offset, int totalBytes) {
        var end = totalBytes == 0 ? packet.remaining() : Math.min(totalBytes, packet.remaining());
        return packet.slice(offset, end - offset);
    }

    private static Optional<TcpSegment> tcp(InetAddress source, InetAddress destination, ByteBuffer segment) {
        if (segment.remaining() < 20) {
            return Optional.empty();
        }
        var headerBytes = ((segment.get(12) & 0xf0) >> 4) * 4;
        if (headerBytes < 20 || headerBytes > segment.remaining()) {
            return Optional.empty();
        }
        var flags = segment.get(13);
        var payload = new byte[segment.remaining() - headerBytes];
        segment.get(headerBytes, payload);
        return Optional.of(new TcpSegment(
                new InetSocketAddress(source, unsigned(segment.getShort(0))),
                new InetSocketAddress(destination, unsigned(segment.getShort(2))),
                segment.getInt(4),
                (flags & FLAG_SYN) != 0,
                (flags & FLAG_ACK) != 0,
                payload));
    }

    private static InetAddress address(ByteBuffer packet, int offset, int length) {
        var bytes = new byte[length];
        packet.get(offset, bytes);
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalStateException("an address of " + length + " bytes", e);
        }
    }

    private static int unsigned(short value) {
        return Short.toUnsignedInt(value);
    }
}
