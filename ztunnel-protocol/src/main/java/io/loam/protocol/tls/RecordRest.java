package io.loam.protocol.tls;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.codec.ByteToMessageDecoder;

/// Joins the beginning of a TLS record with the read that brings the rest: copied into the room in front of it, if the
/// socket's reads leave that ({@link MeshTls#ROOM_BEFORE_READ_BYTES}), instead of copying both into a third buffer.
final class RecordRest implements ByteToMessageDecoder.Cumulator {
    static final RecordRest INSTANCE = new RecordRest();

    private RecordRest() {}

    @Override
    public ByteBuf cumulate(ByteBufAllocator alloc, ByteBuf rest, ByteBuf read) {
        int length = rest.readableBytes();
        int start = read.readerIndex() - length;
        if (length == 0 || start < 0 || read.refCnt() != 1 || read.isReadOnly()) {
            return ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(alloc, rest, read);
        }
        read.setBytes(start, rest, rest.readerIndex(), length);
        read.readerIndex(start);
        rest.release();
        return read;
    }
}
