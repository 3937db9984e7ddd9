package io.loam.protocol.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RecordFillerTest {
    private final EmbeddedChannel channel = new EmbeddedChannel(new RecordFiller());

    @AfterEach
    void close() {
        channel.finishAndReleaseAll();
    }

    private ChannelFuture write(int bytes) {
        return channel.write(Unpooled.buffer(bytes).writeZero(bytes));
    }

    private List<Integer> records() {
        channel.flush();
        var sizes = new ArrayList<Integer>();
        for (ByteBuf record = channel.readOutbound(); record != null; record = channel.readOutbound()) {
            sizes.add(record.readableBytes());
            record.release();
        }
        return sizes;
    }

    @Test
    void joinsSmallWritesOfOneFlush() {
        var first = write(9);
        var second = write(300);
        assertThat(first.isDone()).isFalse();

        assertThat(records()).containsExactly(309);
        assertThat(first.isSuccess()).isTrue();
        assertThat(second.isSuccess()).isTrue();
        assertThat(records()).isEmpty();
    }

    /// Most flushes carry one frame: copied, it would cost a buffer of 16 KiB and the copy.
    @Test
    void aSmallWriteAloneGoesOnAsItIs() {
        var data = Unpooled.buffer(300).writeZero(300);
        var written = channel.writeAndFlush(data);

        ByteBuf record = channel.readOutbound();
        assertThat(record).isSameAs(data);
        assertThat(written.isSuccess()).isTrue();
        record.release();
    }

    @Test
    void joinsInOrder() {
        for (int i = 1; i <= 3; i++) {
            var _ = channel.write(Unpooled.wrappedBuffer(new byte[] {(byte) i}));
        }
        channel.flush();

        ByteBuf record = channel.readOutbound();
        assertThat(ByteBufUtil.getBytes(record)).containsExactly(1, 2, 3);
        record.release();
    }

    /// TLS answers each flush by a record without content, in a buffer of its own.
    @Test
    void nothingWrittenIsNothingToFlush() {
        var flushes = new AtomicInteger();
        channel.pipeline().addFirst(new ChannelOutboundHandlerAdapter() {
            @Override
            public void flush(ChannelHandlerContext ctx) {
                flushes.incrementAndGet();
                ctx.flush();
            }
        });
        channel.flush();
        assertThat(flushes).hasValue(0);

        var _ = write(9);
        channel.flush();
        channel.flush();
        assertThat(flushes).hasValue(1);

        var _ = channel.write(Unpooled.EMPTY_BUFFER); // what closes behind it waits for the flush
        channel.flush();
        var _ = write(65_536);
        channel.flush();
        channel.flush();
        assertThat(flushes).hasValue(3);
    }

    @Test
    void aWriteThatFindsNoMemoryIsReleased() {
        channel.config().setAllocator(new AbstractByteBufAllocator() {
            @Override
            protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
                throw new OutOfMemoryError("of the test");
            }

            @Override
            protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
                throw new OutOfMemoryError("of the test");
            }

            @Override
            public boolean isDirectBufferPooled() {
                return false;
            }
        });
        var first = Unpooled.buffer(9).writeZero(9);
        var second = Unpooled.buffer(9).writeZero(9);
        var _ = channel.write(first);

        assertThat(channel.write(second).cause()).hasMessage("of the test");
        assertThat(second.refCnt()).isZero();
        assertThat(records()).containsExactly(9);
    }

    @Test
    void leavesLargeWritesAloneAndInTheirPlace() {
        var _ = write(9);
        var _ = write(65_536);
        var _ = write(20);

        assertThat(records()).containsExactly(9, 65_536, 20);
    }

    @Test
    void aRecordIsNeverLargerThanTlsAllows() {
        for (int i = 0; i < 9; i++) {
            var _ = write(4000);
        }

        assertThat(records()).containsExactly(16_000, 16_000, 4000);
    }

    /// What is done behind the last write, a close for example, happens in its place.
    @Test
    void anEmptyWriteWaitsForThoseBeforeIt() {
        var order = new ArrayList<String>();
        var _ = write(9).addListener(_ -> order.add("small"));
        var _ = channel.write(Unpooled.EMPTY_BUFFER).addListener(_ -> order.add("empty"));

        assertThat(records()).contains(9);
        assertThat(order).containsExactly("small", "empty");
    }

    @Test
    void writesBeforeItCloses() {
        var order = new ArrayList<String>();
        channel.pipeline().addFirst(new ChannelOutboundHandlerAdapter() {
            @Override
            public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
                order.add("write");
                var _ = ctx.write(message, promise);
            }

            @Override
            public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
                order.add("close");
                var _ = ctx.close(promise);
            }
        });
        var _ = write(9);
        var _ = channel.close();

        assertThat(order).containsExactly("write", "close");
    }

    @Test
    void whatCannotBeWrittenAnyMoreFails() {
        var lost = write(9);
        channel.pipeline().removeFirst();

        assertThat(lost.isDone()).isTrue();
        assertThat(lost.isSuccess()).isFalse();
    }
}
