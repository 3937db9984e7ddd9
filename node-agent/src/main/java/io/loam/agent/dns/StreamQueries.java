package io.loam.agent.dns;

import io.loam.protocol.linux.OriginalAddress;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.timeout.IdleStateEvent;
import java.io.IOException;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/// Queries of one connection, one message each. Answers go out as they come, in any order (RFC 7766, 7); a
/// client that asks faster than it is answered, or does not take its answers, is not read for a while.
final class StreamQueries extends SimpleChannelInboundHandler<ByteBuf> implements Asker {
    /// What the process tells its connections.
    enum Event {
        /// It ends: what has been asked is all that is answered. Who is connected and has not asked yet still
        /// may, once (RFC 7766, 6.2.4: a client that finds its connection closed asks again over another).
        LAST_QUERIES
    }

    /// Waiting at one time; the C library asks two.
    private static final int MOST_WAITING = 16;

    private final PodQueries queries;
    private final InFlight connections;
    private @Nullable ChannelHandlerContext ctx;
    private int waiting;
    private int unsent;
    private boolean admitted;
    private boolean asked;
    private boolean last;

    /// @param connections the pod's, this one not yet counted
    StreamQueries(PodQueries queries, InFlight connections) {
        this.queries = queries;
        this.connections = connections;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        this.ctx = ctx;
        var full = admit();
        if (full == null) {
            admitted = true;
        } else {
            queries.refuse(full, Transport.TCP);
            var _ = ctx.close();
        }
    }

    private @Nullable Refusal admit() {
        var full = connections.enter();
        if (full == null && !queries.takeSocket()) {
            connections.leave();
            return Refusal.SOCKET_LIMIT;
        }
        return full;
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (admitted) {
            queries.giveSocket();
            connections.leave();
        }
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, ByteBuf message) {
        asked = true;
        waiting++;
        readWhatFits();
        try {
            queries.handle(message, this);
        } catch (RuntimeException e) {
            queries.bug(Transport.TCP, e);
            var _ = ctx.close();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        readWhatFits();
    }

    private void readWhatFits() {
        var channel = context().channel();
        channel.config().setAutoRead(channel.isWritable() && waiting < MOST_WAITING);
    }

    /// Wire reference, section 9: 5 s. Who waits for an answer is not idle.
    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof IdleStateEvent && waiting == 0) {
            var _ = ctx.close();
        } else if (event == Event.LAST_QUERIES) {
            last = true;
            closeAfterLast();
        }
    }

    /// The connection is gone, or what came on it cannot be told apart into messages.
    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (cause instanceof TooLongFrameException) {
            queries.refuse(Refusal.MALFORMED, Transport.TCP);
        } else if (!(cause instanceof IOException)) {
            queries.bug(Transport.TCP, cause);
        }
        var _ = ctx.close();
    }

    @Override
    public Transport transport() {
        return Transport.TCP;
    }

    @Override
    public ByteBufAllocator allocator() {
        return context().alloc();
    }

    @Override
    public int limitBytes(QueryMessage query) {
        return Forwarder.MOST_MESSAGE_BYTES;
    }

    @Override
    public @Nullable InetSocketAddress originalDestination() {
        return context().channel() instanceof EpollSocketChannel socket ? OriginalAddress.of(socket) : null;
    }

    @Override
    public void answer(ByteBuf answer) {
        waiting--;
        unsent++;
        var _ = context().writeAndFlush(answer).addListener(_ -> {
            unsent--;
            closeAfterLast();
        });
        readWhatFits();
    }

    private void closeAfterLast() {
        if (last && asked && waiting == 0 && unsent == 0) {
            var _ = context().close();
        }
    }

    @Override
    public void drop() {
        waiting--;
        var _ = context().close();
    }

    private ChannelHandlerContext context() {
        if (ctx == null) {
            throw new IllegalStateException("not connected yet");
        }
        return ctx;
    }
}
