package io.loam.lab.bench.load;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Opens connections as fast as a fixed number of them at a time allows: open, one small request, the first byte of the
/// answer, reset. Lives on the loop of its [LoadLoop].
final class NewConnectionsLoad {
    private final LoadLoop loop;
    private final InetSocketAddress target;
    private final int atATime;
    private final Duration duration;
    private final ByteBuf request;
    private final CompletableFuture<NewConnectionsResult> result = new CompletableFuture<>();
    private long startNanos;
    private long done;
    private long failed;
    private @Nullable String firstFailure;

    NewConnectionsLoad(LoadLoop loop, InetSocketAddress target, int atATime, Duration duration, ByteBuf request) {
        this.loop = loop;
        this.target = target;
        this.atATime = atATime;
        this.duration = duration;
        this.request = request;
    }

    CompletableFuture<NewConnectionsResult> run() {
        loop.loop().execute(() -> {
            startNanos = System.nanoTime();
            for (int i = 0; i < atATime; i++) {
                open();
            }
            var _ = loop.loop().schedule(this::finish, duration.toNanos(), TimeUnit.NANOSECONDS);
        });
        return result;
    }

    private void open() {
        if (result.isDone()) {
            return;
        }
        loop.connect(target, OneByte::new).addListener(opened -> {
            if (!opened.isSuccess()) {
                failed("connect: " + opened.cause());
                // Not at once: what refuses connections would be asked a million times a second.
                var _ = loop.loop().schedule(this::open, 10, TimeUnit.MILLISECONDS);
            }
        });
    }

    private void failed(String reason) {
        failed++;
        if (firstFailure == null) {
            firstFailure = reason;
        }
    }

    private void finish() {
        double seconds = (System.nanoTime() - startNanos) / 1e9;
        result.complete(new NewConnectionsResult(done, failed, done / seconds, firstFailure));
    }

    private final class OneByte extends ChannelInboundHandlerAdapter {
        private boolean answered;

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            var _ = ctx.writeAndFlush(request.duplicate());
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            ReferenceCountUtil.release(message);
            if (!answered) {
                answered = true;
                done++;
                var _ = ctx.close();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            if (!answered && !result.isDone()) {
                failed("closed without an answer");
            }
            open();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            var _ = ctx.close(); // channelInactive counts it
        }
    }
}
