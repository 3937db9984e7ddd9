package io.loam.agent.dns;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.DatagramPacket;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/// One datagram, one query. Answers are flushed when a burst has been read.
final class DatagramQueries extends SimpleChannelInboundHandler<DatagramPacket> {
    private final PodQueries queries;
    private final OriginalDestinations destinations;
    private boolean reading;

    DatagramQueries(PodQueries queries, OriginalDestinations destinations) {
        this.queries = queries;
        this.destinations = destinations;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, DatagramPacket packet) {
        reading = true;
        try {
            queries.handle(packet.content(), new Sender(ctx, packet.sender()));
        } catch (RuntimeException e) {
            queries.bug(Transport.UDP, e);
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        reading = false;
        ctx.flush();
    }

    /// A datagram socket stays usable whatever happened to one datagram.
    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        queries.bug(Transport.UDP, cause);
    }

    private final class Sender implements Asker {
        private final ChannelHandlerContext ctx;
        private final InetSocketAddress address;

        Sender(ChannelHandlerContext ctx, InetSocketAddress address) {
            this.ctx = ctx;
            this.address = address;
        }

        @Override
        public Transport transport() {
            return Transport.UDP;
        }

        @Override
        public ByteBufAllocator allocator() {
            return ctx.alloc();
        }

        @Override
        public int limitBytes(QueryMessage query) {
            return Math.min(query.payloadBytes(), Forwarder.MOST_DATAGRAM_BYTES);
        }

        @Override
        public @Nullable InetSocketAddress originalDestination() {
            return destinations.of(address);
        }

        @Override
        public void answer(ByteBuf answer) {
            if (!ctx.channel().isWritable()) {
                answer.release();
                queries.refuse(Refusal.SLOW_CLIENT, Transport.UDP);
                return;
            }
            var _ = ctx.write(new DatagramPacket(answer, address), ctx.voidPromise());
            if (!reading) {
                ctx.flush();
            }
        }

        @Override
        public void drop() {
            // whoever sent it asks again, or did not ask
        }
    }
}
