package io.loam.lab.bench.load;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Connections that have served one request each and then stay open and silent. Lives on the loop of its [LoadLoop].
final class HeldConnections implements KeptConnection.Listener {
    /// Opened at a time: fewer than a listener's backlog.
    private static final int WAVE = 64;

    private final LoadLoop loop;
    private final InetSocketAddress target;
    private final int count;
    private final ByteBuf request;
    private final CompletableFuture<HeldResult> result = new CompletableFuture<>();
    private final Deque<ChannelHandlerContext> held = new ArrayDeque<>();
    private int asked;
    private @Nullable String failure;

    HeldConnections(LoadLoop loop, InetSocketAddress target, int count) {
        this.loop = loop;
        this.target = target;
        this.count = count;
        this.request = LoadLoop.request(target);
    }

    CompletableFuture<HeldResult> open() {
        loop.loop().execute(() -> {
            for (int i = 0; i < Math.min(WAVE, count); i++) {
                openOne();
            }
        });
        return result;
    }

    private void openOne() {
        asked++;
        loop.connect(target, () -> new KeptConnection(this)).addListener(opened -> {
            if (opened.isSuccess()) {
                var _ = ((ChannelFuture) opened).channel().writeAndFlush(request.duplicate());
            } else {
                broken("connect: " + opened.cause());
            }
        });
    }

    @Override
    public void answered(KeptConnection connection, ChannelHandlerContext ctx) {
        held.add(ctx);
        if (held.size() == count) {
            result.complete(new HeldResult(count, null));
        } else if (asked < count) {
            openOne();
        }
    }

    @Override
    public void broken(String reason) {
        if (failure == null) {
            failure = reason;
            result.complete(new HeldResult(held.size(), reason));
        }
    }

    void release() {
        loop.loop().execute(() -> {
            failure = "released";
            for (var connection : held) {
                var _ = connection.close();
            }
        });
    }
}
