package io.loam.lab.bench.load;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Opens connections as fast as a fixed number of them at a time allows: open, one small request, the first byte of the
/// answer, reset. Where a tunnel has to be asked for, the request goes through it, once it is there. Lives on the loop
/// of its [LoadLoop].
final class NewConnectionsLoad {
    private final LoadLoop loop;
    private final InetSocketAddress target;
    private final int atATime;
    private final Duration duration;
    private final ByteBuf request;
    private final @Nullable ByteBuf connect;
    private final CompletableFuture<NewConnectionsResult> result = new CompletableFuture<>();
    private long startNanos;
    private long done;
    private long failed;
    private @Nullable String firstFailure;

    /// @param connect the head of a CONNECT, null where no tunnel has to be asked for
    NewConnectionsLoad(
            LoadLoop loop,
            InetSocketAddress target,
            int atATime,
            Duration duration,
            ByteBuf request,
            @Nullable ByteBuf connect) {
        this.loop = loop;
        this.target = target;
        this.atATime = atATime;
        this.duration = duration;
        this.request = request;
        this.connect = connect;
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
        private final StringBuilder connectAnswer = new StringBuilder();
        private boolean inTunnel = connect == null;
        private boolean answered;
        private @Nullable String refusal;

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            var first = connect == null ? request : connect;
            var _ = ctx.writeAndFlush(first.duplicate());
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            var bytes = (ByteBuf) message;
            if (!inTunnel) {
                connectAnswer.append(bytes.toString(StandardCharsets.ISO_8859_1));
                bytes.release();
                enterTunnel(ctx);
                return;
            }
            bytes.release();
            if (!answered) {
                answered = true;
                done++;
                var _ = ctx.close();
            }
        }

        /// The answer to CONNECT must be complete and a 200; what the target sends comes after our request only.
        private void enterTunnel(ChannelHandlerContext ctx) {
            int end = connectAnswer.indexOf("\r\n\r\n");
            if (end < 0) {
                return;
            }
            if (connectAnswer.indexOf("HTTP/1.1 200") == 0) {
                inTunnel = true;
                var _ = ctx.writeAndFlush(request.duplicate());
            } else {
                refusal = "no tunnel: " + connectAnswer.substring(0, connectAnswer.indexOf("\r\n"));
                var _ = ctx.close();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            if (!answered && !result.isDone()) {
                failed(refusal == null ? "closed without an answer" : refusal);
            }
            open();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            var _ = ctx.close(); // channelInactive counts it
        }
    }
}
