package io.loam.agent.crash;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoop;
import java.nio.ByteBuffer;
import java.util.IdentityHashMap;

/// One pod in the {@link CrashMarks}. Thread-safe.
public final class PodMarks implements AutoCloseable {
    /// Notes nothing.
    public static final PodMarks NONE = new PodMarks(ByteBuffer.allocate(0), new IdentityHashMap<>(), 0, () -> {});

    private final ByteBuffer marks;
    private final IdentityHashMap<EventLoop, Integer> loops;
    private final int number;
    private final Runnable give;

    PodMarks(ByteBuffer marks, IdentityHashMap<EventLoop, Integer> loops, int number, Runnable give) {
        this.marks = marks;
        this.loops = loops;
        this.number = number;
        this.give = give;
    }

    /// Notes the pod while an event of this channel is handled; as the first handler, so that all others are behind it.
    ///
    /// @param loop the channel's
    public void watch(ChannelPipeline pipeline, EventLoop loop) {
        var index = loops.get(loop);
        if (index != null) {
            pipeline.addFirst("mark", new Handler(marks, MarkLayout.mark(index), number));
        }
    }

    @Override
    public void close() {
        give.run();
    }

    private static final class Handler extends ChannelInboundHandlerAdapter {
        private final ByteBuffer marks;
        private final int offset;
        private final long number;

        Handler(ByteBuffer marks, int offset, long number) {
            this.marks = marks;
            this.offset = offset;
            this.number = number;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            marks.putLong(offset, number);
            try {
                ctx.fireChannelRead(message);
            } finally {
                marks.putLong(offset, 0);
            }
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            marks.putLong(offset, number);
            try {
                ctx.fireChannelReadComplete();
            } finally {
                marks.putLong(offset, 0);
            }
        }
    }
}
