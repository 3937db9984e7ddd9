package io.loam.lab.capture;

import java.io.ByteArrayOutputStream;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Builds recordings byte by byte.
final class PcapBytes {
    static final InetSocketAddress CLIENT = new InetSocketAddress("10.0.0.1", 40000);
    static final InetSocketAddress SERVER = new InetSocketAddress("10.0.0.2", 80);
    static final int SYN = 0x02;
    static final int ACK = 0x10;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteOrder order;

    PcapBytes(ByteOrder order) {
        this.order = order;
        out.writeBytes(ByteBuffer.allocate(24)
                .order(order)
                .putInt(0xa1b2c3d4)
                .putShort((short) 2)
                .putShort((short) 4)
                .putInt(0)
                .putInt(0)
                .putInt(262144)
                .putInt(1)
                .array());
    }

    PcapBytes frame(byte[] frame) {
        out.writeBytes(ByteBuffer.allocate(16 + frame.length)
                .order(order)
                .putInt(1)
                .putInt(2)
                .putInt(frame.length)
                .putInt(frame.length)
                .put(frame)
                .array());
        return this;
    }

    PcapBytes tcp(InetSocketAddress from, InetSocketAddress to, int sequence, int flags, byte[] payload) {
        return frame(ethernet(from, to, sequence, flags, payload));
    }

    PcapBytes tcp(InetSocketAddress from, InetSocketAddress to, int sequence, String payload) {
        return tcp(from, to, sequence, ACK, payload.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }

    byte[] bytes() {
        return out.toByteArray();
    }

    /// Small frames are padded to 60 bytes, as Ethernet does.
    static byte[] ethernet(InetSocketAddress from, InetSocketAddress to, int sequence, int flags, byte[] payload) {
        var v6 = from.getAddress().getAddress().length == 16;
        var ipHeader = v6 ? 40 : 20;
        var length = 14 + ipHeader + 20 + payload.length;
        var frame = ByteBuffer.allocate(Math.max(60, length));
        frame.put(new byte[12]).putShort((short) (v6 ? 0x86dd : 0x0800));
        if (v6) {
            frame.putInt(0x60000000)
                    .putShort((short) (20 + payload.length))
                    .put((byte) 6)
                    .put((byte) 64);
        } else {
            frame.put((byte) 0x45)
                    .put((byte) 0)
                    .putShort((short) (40 + payload.length))
                    .putInt(0x00004000)
                    .put((byte) 64)
                    .put((byte) 6)
                    .putShort((short) 0);
        }
        frame.put(from.getAddress().getAddress()).put(to.getAddress().getAddress());
        frame.putShort((short) from.getPort()).putShort((short) to.getPort());
        frame.putInt(sequence).putInt(0);
        frame.put((byte) 0x50).put((byte) flags).putShort((short) 1024).putInt(0);
        frame.put(payload);
        return frame.array();
    }
}
