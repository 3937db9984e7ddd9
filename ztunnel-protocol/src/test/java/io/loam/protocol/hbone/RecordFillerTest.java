package io.loam.protocol.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
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
