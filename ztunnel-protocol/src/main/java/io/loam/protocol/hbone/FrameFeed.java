package io.loam.protocol.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.Http2CodecUtil;
import io.netty.handler.codec.http2.Http2FrameTypes;
import java.util.List;

/// Hands the codec one frame at a time, and the payload of a DATA frame as it arrives (fast path, rule 8): what is
/// there of an unfinished one goes on as a DATA frame of its own. The codec's reader would wait for the whole frame
/// and copy what came in several reads together, and a frame as large as a read nearly always comes in two.
///
/// Everything else waits until it is complete, and every rule about frames is still the codec's. Belongs to the
/// tunnel's event loop.
final class FrameFeed {
    private static final int HEADER_BYTES = TunnelStream.FRAME_HEADER_BYTES;
    private static final int END_STREAM = 0x1;
    private static final int PADDED = 0x8;

    private final Codec codec;
    private final int maxFrameBytes;

    /// The header of a part.
    private final ByteBuf header = Unpooled.wrappedBuffer(new byte[HEADER_BYTES]);

    /// Of the client's preface, which is no frame.
    private int prefaceRest;

    /// Payload that is still to come of the DATA frame that is handed on in parts.
    private int dataRest;

    private int dataFlags;
    private int dataStream;

    /// Netty's codec, and what only it knows.
    interface Codec {
        void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws Exception;

        /// Whether the peer may send DATA on the stream. The parts of a frame that is an error by itself would each be
        /// one.
        boolean takesData(int streamId);

        /// Whether the connection ends for an error: what else is there is read over (hazard T4).
        boolean isFailed();
    }

    /// @param maxFrameBytes what we advertised; a larger frame goes to the codec for its verdict
    FrameFeed(boolean server, int maxFrameBytes, Codec codec) {
        this.codec = codec;
        this.maxFrameBytes = maxFrameBytes;
        prefaceRest = server ? Http2CodecUtil.connectionPrefaceBuf().readableBytes() : 0;
    }

    void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws Exception {
        while (in.isReadable()) {
            if (codec.isFailed()) {
                in.skipBytes(in.readableBytes());
                return;
            }
            int before = in.readableBytes();
            if (prefaceRest > 0) {
                pass(ctx, in, Math.min(prefaceRest, before), out);
                prefaceRest -= before - in.readableBytes();
            } else if (dataRest > 0) {
                passPart(ctx, in, out);
            } else {
                passFrame(ctx, in, out);
            }
            if (in.readableBytes() == before) {
                return; // what is there is too little
            }
        }
    }

    private void passFrame(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws Exception {
        int available = in.readableBytes() - HEADER_BYTES;
        if (available < 0) {
            return;
        }
        int start = in.readerIndex();
        int payload = in.getUnsignedMedium(start);
        if (payload <= available || payload > maxFrameBytes) {
            pass(ctx, in, HEADER_BYTES + Math.min(payload, available), out);
            return;
        }
        int flags = in.getUnsignedByte(start + 4);
        int stream = in.getInt(start + 5) & Integer.MAX_VALUE;
        boolean parts = in.getByte(start + 3) == Http2FrameTypes.DATA && (flags & PADDED) == 0;
        if (parts && available > 0 && codec.takesData(stream)) {
            dataRest = payload;
            dataFlags = flags;
            dataStream = stream;
            in.skipBytes(HEADER_BYTES);
            passPart(ctx, in, out);
        }
    }

    private void passPart(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws Exception {
        int part = Math.min(dataRest, in.readableBytes());
        dataRest -= part;
        header.clear();
        header.writeMedium(part);
        header.writeByte(Http2FrameTypes.DATA);
        header.writeByte(dataRest == 0 ? dataFlags : dataFlags & ~END_STREAM);
        header.writeInt(dataStream);
        codec.decode(ctx, header, out);
        pass(ctx, in, part, out);
    }

    /// @param length of what the codec may see
    private void pass(ChannelHandlerContext ctx, ByteBuf in, int length, List<Object> out) throws Exception {
        int end = in.writerIndex();
        in.writerIndex(in.readerIndex() + length);
        try {
            codec.decode(ctx, in, out);
        } finally {
            in.writerIndex(end);
        }
    }
}
