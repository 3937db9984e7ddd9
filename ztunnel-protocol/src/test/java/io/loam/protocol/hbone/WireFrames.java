package io.loam.protocol.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/// HTTP/2 frames and header blocks byte by byte (RFC 9113, 4.1 and 6; RFC 7541, 6), so that a test can get each of
/// them wrong. Nothing is checked; header blocks are stateless unless a test asks for an indexed field.
final class WireFrames {
    static final int DATA = 0;
    static final int HEADERS = 1;
    static final int PRIORITY = 2;
    static final int RST_STREAM = 3;
    static final int SETTINGS = 4;
    static final int PUSH_PROMISE = 5;
    static final int PING = 6;
    static final int GOAWAY = 7;
    static final int WINDOW_UPDATE = 8;
    static final int CONTINUATION = 9;

    static final int ACK = 0x1;
    static final int END_STREAM = 0x1;
    static final int END_HEADERS = 0x4;
    static final int PADDED = 0x8;
    static final int WITH_PRIORITY = 0x20;

    /// SETTINGS identifiers (RFC 9113, 6.5.2).
    static final int ENABLE_PUSH = 2;

    static final int INITIAL_WINDOW_SIZE = 4;
    static final int MAX_FRAME_SIZE = 5;

    private WireFrames() {}

    static ByteBuf frame(int type, int flags, int stream, ByteBuf payload) {
        var frame = Unpooled.buffer(9 + payload.readableBytes())
                .writeMedium(payload.readableBytes())
                .writeByte(type)
                .writeByte(flags)
                .writeInt(stream)
                .writeBytes(payload);
        payload.release();
        return frame;
    }

    static ByteBuf frame(int type, int flags, int stream) {
        return frame(type, flags, stream, Unpooled.EMPTY_BUFFER);
    }

    static ByteBuf headers(int stream, ByteBuf block) {
        return frame(HEADERS, END_HEADERS, stream, block);
    }

    static ByteBuf data(int stream, int flags, String text) {
        return frame(DATA, flags, stream, text(text));
    }

    static ByteBuf continuation(int stream, int flags, ByteBuf fragment) {
        return frame(CONTINUATION, flags, stream, fragment);
    }

    static ByteBuf resetStream(int stream, long code) {
        return frame(RST_STREAM, 0, stream, ints((int) code));
    }

    static ByteBuf ping(long data) {
        return frame(PING, 0, 0, Unpooled.copyLong(data));
    }

    static ByteBuf windowUpdate(int stream, int increment) {
        return frame(WINDOW_UPDATE, 0, stream, ints(increment));
    }

    /// @param dependency with the high bit for an exclusive one (RFC 7540, 5.3.1)
    static ByteBuf priority(int stream, int dependency, int weight) {
        return frame(PRIORITY, 0, stream, prioritized(dependency, weight));
    }

    /// What stands before the header block in a HEADERS frame with {@link #WITH_PRIORITY}, and in a PRIORITY frame.
    static ByteBuf prioritized(int dependency, int weight) {
        return Unpooled.buffer(5).writeInt(dependency).writeByte(weight - 1);
    }

    /// @param identifiersAndValues alternating
    static ByteBuf settings(int... identifiersAndValues) {
        var payload = Unpooled.buffer();
        for (int i = 0; i < identifiersAndValues.length; i += 2) {
            payload.writeShort(identifiersAndValues[i]).writeInt(identifiersAndValues[i + 1]);
        }
        return frame(SETTINGS, 0, 0, payload);
    }

    static ByteBuf ints(int... values) {
        return Unpooled.copyInt(values);
    }

    static ByteBuf text(String text) {
        return Unpooled.copiedBuffer(text, StandardCharsets.ISO_8859_1);
    }

    static ByteBuf hex(String digits) {
        return Unpooled.wrappedBuffer(HexFormat.of().parseHex(digits.replace(" ", "")));
    }

    static ByteBuf join(ByteBuf... parts) {
        return Unpooled.wrappedBuffer(parts);
    }

    /// A header block of fields that are not indexed and not Huffman-coded.
    ///
    /// @param namesAndValues alternating
    static ByteBuf block(String... namesAndValues) {
        var block = Unpooled.buffer();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            block.writeByte(0);
            writeText(block, namesAndValues[i]);
            writeText(block, namesAndValues[i + 1]);
        }
        return block;
    }

    /// The CONNECT of a well-behaved client, and more fields behind it.
    static ByteBuf connect(String... moreNamesAndValues) {
        return join(block(":method", "CONNECT", ":authority", "10.0.0.7:8080"), block(moreNamesAndValues));
    }

    /// A field of 1 KiB, as there may be several of in CONTINUATION frames.
    static ByteBuf ballast() {
        return block("x-ballast", "b".repeat(1024));
    }

    /// RFC 7541, 5.2 and 5.1.
    private static void writeText(ByteBuf block, String text) {
        int length = text.length();
        if (length < 127) {
            block.writeByte(length);
        } else {
            block.writeByte(127);
            for (length -= 127; length >= 128; length >>>= 7) {
                block.writeByte((length & 0x7f) | 0x80);
            }
            block.writeByte(length);
        }
        block.writeCharSequence(text, StandardCharsets.ISO_8859_1);
    }
}
