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
///
/// Two things of it are cheap on purpose, because small requests consist of them. A small write that stays alone goes
/// on as it is: joined with nothing, it would cost a buffer and a copy. And a flush with nothing written since the
/// last one ends here: the codec flushes after every wake-up, and TLS answers each flush by a call into native code
/// for an empty record, with a buffer and a promise of its own.
public final class RecordFiller extends ChannelOutboundHandlerAdapter {
    /// A write up to this size is copied, which costs less than a record of its own.
    private static final int SMALL_BYTES = 4 << 10;

    /// Plaintext of the largest record (RFC 8446, 5.1).
    private static final int RECORD_BYTES = 16 << 10;

    private final List<ChannelPromise> promises = new ArrayList<>(4);

    /// What is not written yet: the first small write as it came, or what it is joined with.
    private @Nullable ByteBuf record;

    private boolean joined;
    private boolean unflushed;

    @Override
    public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
        unflushed = true;
        if (!(message instanceof ByteBuf data) || !data.isReadable() || data.readableBytes() > SMALL_BYTES) {
            writeRecord(ctx);
            var _ = ctx.write(message, promise);
            return;
        }
        if (joined && record != null && record.writableBytes() < data.readableBytes()) {
            writeRecord(ctx);
        }
        record = record == null ? data : joinedBy(ctx, record, data);
        if (!promise.isVoid()) {
            promises.add(promise);
        }
    }

    /// @param data taken over, even where there is no memory to join it
    private ByteBuf joinedBy(ChannelHandlerContext ctx, ByteBuf before, ByteBuf data) {
        try {
            var all = before;
            if (!joined) {
                all = ctx.alloc().ioBuffer(RECORD_BYTES, RECORD_BYTES).writeBytes(before);
                joined = true;
                before.release();
            }
            return all.writeBytes(data);
        } finally {
            data.release();
        }
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        writeRecord(ctx);
        if (unflushed) {
            unflushed = false;
            ctx.flush();
        }
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
        joined = false;
        if (promises.isEmpty()) {
            var _ = ctx.write(full, ctx.voidPromise());
        } else if (promises.size() == 1) {
            var _ = ctx.write(full, promises.removeFirst());
        } else {
            var all = List.copyOf(promises);
            promises.clear();
            var _ = ctx.write(full).addListener((ChannelFutureListener) written -> tell(all, written));
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
