package io.loam.lab.bench.load;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/// Requests on a fixed schedule over kept connections, open loop: a request's time counts from the moment it was due,
/// not
/// from the moment it could be sent, so that a stall is seen by every request it delayed (no coordinated omission). A
/// request that finds every connection busy waits its turn, and its time runs. Lives on the loop of its [LoadLoop].
final class FixedRateLoad implements KeptConnection.Listener {
    /// Answers that take longer than this after the last request are counted as missing.
    private static final Duration GRACE = Duration.ofSeconds(2);

    private static final long HIGHEST_NANOS = TimeUnit.SECONDS.toNanos(60);

    private final LoadLoop loop;
    private final InetSocketAddress target;
    private final int connections;
    private final long intervalNanos;
    private final long requests;
    private final ByteBuf request;
    private final Histogram histogram = new Histogram(HIGHEST_NANOS, 3);
    private final CompletableFuture<FixedRateResult> result = new CompletableFuture<>();
    private final Deque<ChannelHandlerContext> free = new ArrayDeque<>();
    private final Map<KeptConnection, Long> due = new HashMap<>();
    private final Deque<Long> waiting = new ArrayDeque<>();
    private final Deque<ChannelHandlerContext> all = new ArrayDeque<>();
    private final boolean countOpening;
    private int asked;
    private int opening;
    private boolean started;
    private long startNanos;
    private long scheduled;
    private long answered;
    private long lastAnswerNanos;
    private @Nullable String failure;

    FixedRateLoad(LoadLoop loop, InetSocketAddress target, int ratePerSecond, int connections, Duration duration) {
        this(loop, target, ratePerSecond, connections, duration, false);
    }

    /// The schedule starts without a connection. A request that finds none idle has one opened, up to `connections`,
    /// and its time runs meanwhile.
    static FixedRateLoad fromTheFirst(
            LoadLoop loop, InetSocketAddress target, int ratePerSecond, int connections, Duration duration) {
        return new FixedRateLoad(loop, target, ratePerSecond, connections, duration, true);
    }

    private FixedRateLoad(
            LoadLoop loop,
            InetSocketAddress target,
            int ratePerSecond,
            int connections,
            Duration duration,
            boolean countOpening) {
        this.countOpening = countOpening;
        this.loop = loop;
        this.target = target;
        this.connections = connections;
        this.intervalNanos = TimeUnit.SECONDS.toNanos(1) / ratePerSecond;
        this.requests = duration.toNanos() / intervalNanos;
        this.request = LoadLoop.request(target);
    }

    /// Opens the connections, sends one request on each, which is not counted, then starts the schedule; or starts at
    /// once, see {@link #fromTheFirst}.
    CompletableFuture<FixedRateResult> run() {
        loop.loop().execute(() -> {
            if (countOpening) {
                begin();
                return;
            }
            for (int i = 0; i < connections; i++) {
                open();
            }
        });
        return result;
    }

    private void open() {
        asked++;
        opening++;
        var handler = new KeptConnection(this);
        loop.connect(target, () -> handler).addListener(opened -> {
            opening--;
            if (!opened.isSuccess()) {
                broken("connect: " + opened.cause());
                return;
            }
            var channel = ((ChannelFuture) opened).channel();
            if (!countOpening) {
                var _ = channel.writeAndFlush(request.duplicate());
                return;
            }
            var ctx = channel.pipeline().context(handler);
            all.add(ctx);
            sendNextOn(ctx);
        });
    }

    @Override
    public void answered(KeptConnection connection, ChannelHandlerContext ctx) {
        var dueNanos = due.remove(connection);
        if (dueNanos == null) { // the uncounted first one
            all.add(ctx);
            free.add(ctx);
            if (free.size() == connections) {
                begin();
            }
            return;
        }
        lastAnswerNanos = System.nanoTime();
        histogram.recordValue(Math.min(lastAnswerNanos - dueNanos, HIGHEST_NANOS));
        answered++;
        sendNextOn(ctx);
        if (answered == requests) {
            finish();
        }
    }

    private void sendNextOn(ChannelHandlerContext ctx) {
        var next = waiting.poll();
        if (next != null) {
            send(ctx, next);
        } else {
            free.add(ctx); // the one that rested longest is next, so that all are used
        }
    }

    private void begin() {
        if (!started) {
            started = true;
            startNanos = System.nanoTime() + intervalNanos;
            var _ = loop.loop().schedule(this::tick, intervalNanos, TimeUnit.NANOSECONDS);
        }
    }

    private void tick() {
        if (result.isDone()) {
            return;
        }
        long now = System.nanoTime();
        while (scheduled < requests && startNanos + scheduled * intervalNanos <= now) {
            long dueNanos = startNanos + scheduled * intervalNanos;
            scheduled++;
            var idle = free.poll();
            if (idle == null) {
                waiting.add(dueNanos);
                if (countOpening && asked < connections && opening < waiting.size()) {
                    open();
                }
            } else {
                send(idle, dueNanos);
            }
        }
        if (scheduled < requests) {
            long pause = startNanos + scheduled * intervalNanos - System.nanoTime();
            var _ = loop.loop().schedule(this::tick, Math.max(0, pause), TimeUnit.NANOSECONDS);
        } else {
            var _ = loop.loop().schedule(this::finish, GRACE.toNanos(), TimeUnit.NANOSECONDS);
        }
    }

    private void send(ChannelHandlerContext ctx, long dueNanos) {
        due.put((KeptConnection) ctx.handler(), dueNanos);
        var _ = ctx.writeAndFlush(request.duplicate());
    }

    @Override
    public void broken(String reason) {
        if (failure == null && !result.isDone()) {
            failure = reason;
            finish();
        }
    }

    private void finish() {
        if (result.isDone()) {
            return;
        }
        double seconds = (lastAnswerNanos - startNanos) / 1e9;
        var outcome = failure != null
                ? FixedRateResult.failed(failure)
                : FixedRateResult.of(histogram, requests, answered, answered == 0 ? 0 : answered / seconds);
        result.complete(outcome);
        for (var connection : all) {
            var _ = connection.close();
        }
    }
}
