package io.loam.protocol.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.Http2FrameTypes;
import io.netty.handler.codec.http2.Http2RemoteFlowController;
import io.netty.handler.codec.http2.Http2Stream;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// What one stream still has to send. A buffer becomes one DATA frame where it lies: the header goes into the room in
/// front of its bytes (fast path, rule 6), so that nothing is copied between the application's socket and the cipher.
/// The codec's own queue would join buffers, cut them anew and put a header of nine bytes in front of each cut.
///
/// Stays in the flow controller's hands while it is not empty, and makes no garbage per buffer. Belongs to the
/// tunnel's event loop.
final class DataQueue implements Http2RemoteFlowController.FlowControlled {
    /// With its header a frame fills at most four TLS records (rule 6).
    private static final int LARGEST_FRAME_BYTES = 64 << 10;

    private static final byte END_STREAM = 1;

    private final TunnelHandler tunnel;

    /// Null for the one that only carries bytes to another, see {@link #merge}.
    private final @Nullable Http2Stream stream;

    private final ArrayDeque<ByteBuf> buffers = new ArrayDeque<>(4);
    private int bytes;

    /// The flow controller holds this object.
    private boolean queued;

    private boolean ends;
    private @Nullable ChannelFuture endWritten;
    private boolean failed;

    DataQueue(TunnelHandler tunnel, @Nullable Http2Stream stream) {
        this.tunnel = tunnel;
        this.stream = stream;
    }

    boolean isQueued() {
        return queued;
    }

    void markQueued() {
        queued = true;
    }

    /// @param data taken over, together with the room in front of it
    void add(ByteBuf data) {
        if (failed) {
            data.release();
            return;
        }
        count(data.readableBytes());
        buffers.add(data);
    }

    private void count(int more) {
        bytes += more;
        if (stream != null) { // what the carrier holds is counted when it is merged
            tunnel.countQueued(more);
        }
    }

    /// END_STREAM goes with the last byte, or by itself where there is none.
    void end() {
        ends = true;
    }

    @Override
    public int size() {
        return bytes;
    }

    /// Takes over the bytes of the tunnel's carrier, which is how the flow controller learns of bytes behind others.
    @Override
    public boolean merge(ChannelHandlerContext ctx, Http2RemoteFlowController.FlowControlled next) {
        if (!(next instanceof DataQueue carrier) || carrier.stream != null) {
            return false;
        }
        for (var data = carrier.buffers.poll(); data != null; data = carrier.buffers.poll()) {
            add(data);
        }
        carrier.bytes = 0;
        return true;
    }

    /// @param allowedBytes this stream's fair share. A buffer in which it ends still goes out whole if the windows
    ///     have room: cut in two, its second half would have to be copied to get a header. Not if the
    ///     connection's window is too small for what all streams have queued, though: then the flow controller has
    ///     promised the rest to others, and would make us exceed the window.
    @Override
    public void write(ChannelHandlerContext ctx, int allowedBytes) {
        if (failed) {
            bytes = 0;
            return;
        }
        var to = requireStream();
        int largest = Math.min(LARGEST_FRAME_BYTES, tunnel.peerMaxFrameBytes()) - TunnelStream.FRAME_HEADER_BYTES;
        int share = allowedBytes;
        int window = tunnel.sendWindow(to) - tunnel.promisedBytes();
        for (var head = buffers.peek(); head != null && share > 0; head = buffers.peek()) {
            int payload = Math.min(head.readableBytes(), largest);
            if (payload > share && payload > window) {
                payload = share;
            }
            share -= payload;
            window -= payload;
            count(-payload);
            if (payload == head.readableBytes()) {
                buffers.remove();
                writeFrame(ctx, to, head);
            } else {
                writeFrame(ctx, to, head.readRetainedSlice(payload));
            }
        }
        if (ends && endWritten == null && bytes == 0) {
            writeFrame(ctx, to, Unpooled.EMPTY_BUFFER);
        }
    }

    private void writeFrame(ChannelHandlerContext ctx, Http2Stream to, ByteBuf payload) {
        int length = payload.readableBytes();
        ByteBuf frame = roomInFront(payload) ? payload : copied(ctx, payload);
        int start = frame.readerIndex() - TunnelStream.FRAME_HEADER_BYTES;
        boolean last = ends && bytes == 0;
        frame.setMedium(start, length);
        frame.setByte(start + 3, Http2FrameTypes.DATA);
        frame.setByte(start + 4, last ? END_STREAM : 0);
        frame.setInt(start + 5, to.id());
        frame.readerIndex(start);
        if (last) {
            endWritten = ctx.write(frame);
        } else {
            var _ = ctx.write(frame, ctx.voidPromise());
        }
    }

    private static boolean roomInFront(ByteBuf payload) {
        return payload.readerIndex() >= TunnelStream.FRAME_HEADER_BYTES
                && payload.refCnt() == 1
                && !payload.isReadOnly();
    }

    /// For parts of a buffer (a peer that takes small frames only, or a window that ends inside) and foreign buffers.
    private static ByteBuf copied(ChannelHandlerContext ctx, ByteBuf payload) {
        var frame = ctx.alloc().ioBuffer(TunnelStream.FRAME_HEADER_BYTES + payload.readableBytes());
        frame.writerIndex(TunnelStream.FRAME_HEADER_BYTES).readerIndex(TunnelStream.FRAME_HEADER_BYTES);
        frame.writeBytes(payload);
        payload.release();
        return frame;
    }

    @Override
    public void writeComplete() {
        queued = false;
        if (endWritten != null) {
            tunnel.closeStreamLocal(requireStream(), endWritten);
        }
    }

    /// @param cause the stream was closed, or writing it failed; the size stays as it is, because the controller
    ///     subtracts it
    @Override
    public void error(ChannelHandlerContext ctx, @Nullable Throwable cause) {
        queued = false;
        if (!failed && stream != null) {
            tunnel.countQueued(-bytes);
        }
        failed = true;
        buffers.forEach(ByteBuf::release);
        buffers.clear();
        if (cause != null && stream != null && stream.state() != Http2Stream.State.CLOSED) {
            tunnel.onError(ctx, true, cause);
        }
    }

    private Http2Stream requireStream() {
        if (stream == null) {
            throw new IllegalStateException("the carrier of bytes was queued itself");
        }
        return stream;
    }
}
