package io.loam.agent.selftest;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.SocketProtocolFamily;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// Connections through a {@link LoopbackMesh}, as an application opens them: each sends, waits until all of it
/// has come back, and closes. The connections live on the caller's loop of the mesh; {@link #run} blocks its
/// own thread.
public final class EchoLoad {
    /// A connection that takes longer does not work.
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private static final int CHUNK_BYTES = 16 << 10;

    private final LoopbackMesh mesh;
    private final List<InetSocketAddress> entries;

    public EchoLoad(LoopbackMesh mesh) {
        this.mesh = mesh;
        this.entries = mesh.entries();
    }

    /// What to send.
    ///
    /// @param atOnce connections open at a time, spread over the workers
    /// @param rounds how often each sends and waits, before it closes
    /// @param bytes of each round
    public record Shape(int atOnce, int rounds, int bytes) {}

    /// Runs until `most` connections are done or `atMost` is over, whichever comes first; those begun are
    /// finished.
    ///
    /// @return how many were done
    /// @throws IOException the first failure, as soon as it is known
    public int run(Shape shape, int most, Duration atMost) throws IOException, InterruptedException {
        var run = new Run(shape, most, System.nanoTime() + atMost.toNanos());
        mesh.caller().execute(run::start);
        try {
            return run.over.get(atMost.plus(PATIENCE).toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            var cause = e.getCause() == null ? e : e.getCause();
            throw new IOException(String.valueOf(cause.getMessage()), cause);
        } catch (TimeoutException e) {
            throw new IOException("a connection is not answered within " + PATIENCE.toSeconds() + " s", e);
        }
    }

    /// Belongs to the caller's loop.
    private final class Run {
        final CompletableFuture<Integer> over = new CompletableFuture<>();
        final Shape shape;
        final int most;
        final long deadline;
        int begun;
        int done;

        Run(Shape shape, int most, long deadline) {
            this.shape = shape;
            this.most = most;
            this.deadline = deadline;
        }

        void start() {
            for (int i = 0; i < Math.min(shape.atOnce, most); i++) {
                begin();
            }
        }

        private void begin() {
            var entry = entries.get(begun++ % entries.size());
            var _ = new Bootstrap()
                    .group(mesh.caller())
                    .channelFactory(() -> new EpollSocketChannel(SocketProtocolFamily.INET))
                    .handler(new Call(this))
                    .connect(entry)
                    .addListener((ChannelFutureListener) connected -> {
                        if (!connected.isSuccess()) {
                            over.completeExceptionally(connected.cause());
                        }
                    });
        }

        void ended(@Nullable IOException failure) {
            if (failure != null) {
                over.completeExceptionally(failure);
                return;
            }
            done++;
            if (begun < most && System.nanoTime() < deadline && !over.isDone()) {
                begin();
            } else if (done == begun) {
                over.complete(done);
            }
        }
    }

    /// One connection.
    @SuppressWarnings("FutureReturnValueIgnored") // what fails closes the connection
    private static final class Call extends ChannelInboundHandlerAdapter {
        private final Run run;
        private int round = 1;
        private int unsent;
        private int missing;
        private boolean told;

        Call(Run run) {
            this.run = run;
            unsent = run.shape.bytes;
            missing = run.shape.bytes;
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            send(ctx);
        }

        @Override
        public void channelWritabilityChanged(ChannelHandlerContext ctx) {
            send(ctx);
        }

        private void send(ChannelHandlerContext ctx) {
            while (unsent > 0 && ctx.channel().isWritable()) {
                int length = Math.min(unsent, CHUNK_BYTES);
                unsent -= length;
                ctx.write(ctx.alloc().directBuffer(length).writeZero(length));
            }
            ctx.flush();
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            var bytes = (ByteBuf) message;
            missing -= bytes.readableBytes();
            bytes.release();
            if (missing > 0) {
                return;
            }
            if (round++ < run.shape.rounds) {
                unsent = run.shape.bytes;
                missing = run.shape.bytes;
                send(ctx);
            } else {
                tell(null);
                ctx.close();
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            tell(new IOException("closed when " + missing + " of " + run.shape.bytes + " bytes had not come back"));
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            tell(new IOException(
                    "lost when " + missing + " of " + run.shape.bytes + " bytes had not come back", cause));
            ctx.close();
        }

        private void tell(@Nullable IOException failure) {
            if (!told) {
                told = true;
                run.ended(failure);
            }
        }
    }
}
