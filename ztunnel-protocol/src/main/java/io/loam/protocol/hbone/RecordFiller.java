package io.loam.protocol.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Joins the small writes of one flush into one TLS record. Stands between the tunnel's handler and TLS, which makes a
/// record, and a call into native code, of every buffer it is given, and must: only so is a large one encrypted where
/// it lies (fast path, rule 7).
public final class RecordFiller extends ChannelOutboundHandlerAdapter {
    /// A write up to this size is copied, which costs less than a record of its own.
    private static final int SMALL_BYTES = 4 << 10;

    /// Plaintext of the largest record (RFC 8446, 5.1).
    private static final int RECORD_BYTES = 16 << 10;

    private final List<ChannelPromise> promises = new ArrayList<>(4);
    private @Nullable ByteBuf record;

    @Override
    public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
        if (!(message instanceof ByteBuf data) || !data.isReadable() || data.readableBytes() > SMALL_BYTES) {
            writeRecord(ctx);
            var _ = ctx.write(message, promise);
            return;
        }
        if (record != null && record.writableBytes() < data.readableBytes()) {
            writeRecord(ctx);
        }
        if (record == null) {
            record = ctx.alloc().ioBuffer(RECORD_BYTES, RECORD_BYTES);
        }
        record.writeBytes(data);
        data.release();
        if (!promise.isVoid()) {
            promises.add(promise);
        }
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        writeRecord(ctx);
        ctx.flush();
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        writeRecord(ctx);
        var _ = ctx.close(promise);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        if (record != null) {
            record.release();
            record = null;
        }
        for (var promise : promises) {
            promise.tryFailure(new ClosedChannelException());
        }
        promises.clear();
    }

    private void writeRecord(ChannelHandlerContext ctx) {
        if (record == null) {
            return;
        }
        var full = record;
        record = null;
        if (promises.isEmpty()) {
            var _ = ctx.write(full, ctx.voidPromise());
        } else if (promises.size() == 1) {
            var _ = ctx.write(full, promises.removeFirst());
        } else {
            var joined = List.copyOf(promises);
            promises.clear();
            var _ = ctx.write(full).addListener((ChannelFutureListener) written -> tell(joined, written));
        }
    }

    private static void tell(List<ChannelPromise> promises, ChannelFuture written) {
        for (var promise : promises) {
            if (written.isSuccess()) {
                promise.trySuccess();
            } else {
                promise.tryFailure(written.cause());
            }
        }
    }
}
