package io.loam.agent.dns;

import io.loam.agent.pod.PodSockets;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.DatagramPacket;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Passes queries of one pod on, from the pod's own namespace and address: to everybody else they are the
/// pod's.
///
/// A query has a socket of its own, so that the kernel chooses another port each time: with the identifier that
/// the client chose, this is what protects from forged answers (RFC 5452, 9). Datagrams are not repeated, as
/// the client repeats them itself; a query that came over TCP is passed on over TCP. Belongs to one event loop.
final class Forwarder implements Forwarding {
    private static final Logger log = LoggerFactory.getLogger(Forwarder.class);

    /// More than anybody sends in one datagram today (RFC 9715 advises 1,400); clients that offer to take more
    /// are quoted with this.
    static final int MOST_DATAGRAM_BYTES = 4096;

    static final int MOST_MESSAGE_BYTES = 65535;
    static final int LENGTH_BYTES = 2;

    private final PodSockets sockets;
    private final EventLoop loop;
    private final long timeoutNanos;

    /// @param timeoutNanos for all resolvers of one query together
    Forwarder(PodSockets sockets, EventLoop loop, long timeoutNanos) {
        this.sockets = sockets;
        this.loop = loop;
        this.timeoutNanos = timeoutNanos;
    }

    @Override
    public void forward(
            QueryMessage query,
            ByteBuf message,
            List<InetSocketAddress> resolvers,
            Transport transport,
            Listener listener) {
        if (transport == Transport.UDP && query.payloadBytes() > MOST_DATAGRAM_BYTES) {
            message.setShort(message.readerIndex() + query.payloadAt(), MOST_DATAGRAM_BYTES);
        }
        new Forwarded(query, message, List.copyOf(resolvers), transport, listener).start();
    }

    /// One query, one resolver at a time.
    private final class Forwarded {
        private final QueryMessage query;
        private final ByteBuf message;
        private final List<InetSocketAddress> resolvers;
        private final Transport transport;
        private final Listener listener;
        private final long deadlineNanos = System.nanoTime() + timeoutNanos;
        private int asked;
        private @Nullable Channel channel;
        private @Nullable Future<?> timer;
        private boolean over;

        Forwarded(
                QueryMessage query,
                ByteBuf message,
                List<InetSocketAddress> resolvers,
                Transport transport,
                Listener listener) {
            this.query = query;
            this.message = message;
            this.resolvers = resolvers;
            this.transport = transport;
            this.listener = listener;
        }

        void start() {
            try {
                askNext();
            } catch (RuntimeException | Error e) {
                failByBug(e);
            }
        }

        /// An error of our own ends this query, and whoever waits hears of it.
        private void failByBug(Throwable cause) {
            if (!over) {
                log.error("dns query ended by a bug resolver={}", text(resolvers.get(Math.max(0, asked - 1))), cause);
                fail(Refusal.BUG, String.valueOf(cause));
            }
        }

        /// The time that is left is shared out evenly among the resolvers that are left.
        void askNext() {
            var resolver = resolvers.get(asked);
            long left = Math.max(0, deadlineNanos - System.nanoTime()) / (resolvers.size() - asked);
            asked++;
            Channel opened;
            try {
                opened = transport == Transport.UDP
                        ? sockets.datagrams(resolver.getAddress())
                        : sockets.dialling(resolver.getAddress());
            } catch (IOException e) {
                fail(Refusal.NO_SOCKET, String.valueOf(e.getMessage()));
                return;
            }
            channel = opened;
            timer = loop.schedule(
                    () -> failed(
                            opened,
                            Refusal.TIMEOUT,
                            "no answer from " + text(resolver) + " in " + TimeUnit.NANOSECONDS.toMillis(left) + " ms"),
                    left,
                    TimeUnit.NANOSECONDS);
            var connecting = new Bootstrap()
                    .group(loop)
                    .channelFactory(() -> opened)
                    .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, 0) // the timer above counts
                    .handler(pipeline(resolver))
                    .connect(resolver);
            var _ = connecting.addListener(_ -> onConnected(connecting, resolver));
        }

        private ChannelInitializer<Channel> pipeline(InetSocketAddress resolver) {
            return new ChannelInitializer<>() {
                @Override
                protected void initChannel(Channel ch) {
                    if (transport == Transport.UDP) {
                        ch.config().setRecvByteBufAllocator(new FixedRecvByteBufAllocator(MOST_DATAGRAM_BYTES));
                        ch.pipeline().addLast("datagram", new DatagramAnswer(resolver));
                    } else {
                        ch.pipeline()
                                .addLast(
                                        "frame",
                                        new LengthFieldBasedFrameDecoder(
                                                LENGTH_BYTES + MOST_MESSAGE_BYTES, 0, LENGTH_BYTES, 0, LENGTH_BYTES))
                                .addLast("length", new LengthFieldPrepender(LENGTH_BYTES))
                                .addLast("answer", new StreamAnswer(resolver));
                    }
                }
            };
        }

        private void onConnected(ChannelFuture connecting, InetSocketAddress resolver) {
            if (over || !isCurrent(connecting.channel())) {
                var _ = connecting.channel().close();
            } else if (connecting.isSuccess()) {
                var _ = connecting
                        .channel()
                        .writeAndFlush(message.retainedDuplicate())
                        .addListener(sent -> {
                            if (!sent.isSuccess()) {
                                failed(
                                        connecting.channel(),
                                        Refusal.UNREACHABLE,
                                        text(resolver) + ": " + sent.cause().getMessage());
                            }
                        });
            } else {
                failed(
                        connecting.channel(),
                        Refusal.UNREACHABLE,
                        text(resolver) + ": " + connecting.cause().getMessage());
            }
        }

        @SuppressWarnings("ReferenceEquality") // channels are compared by identity
        private boolean isCurrent(Channel ch) {
            return ch == channel;
        }

        private void onMessage(ChannelHandlerContext ctx, ByteBuf answer, InetSocketAddress resolver) {
            if (over || !isCurrent(ctx.channel())) {
                return;
            }
            if (!isAnswer(answer)) {
                listener.foreign(resolver);
                return;
            }
            end();
            listener.answered(answer.retain());
        }

        /// The resolver's address is checked by the kernel, as the socket is connected.
        private boolean isAnswer(ByteBuf answer) {
            int start = answer.readerIndex();
            if (answer.readableBytes() < QueryMessage.HEADER_BYTES
                    || answer.getUnsignedShort(start) != query.id()
                    || (answer.getUnsignedShort(start + 2) & QueryMessage.RESPONSE) == 0) {
                return false;
            }
            int questions = answer.getUnsignedShort(start + 4);
            boolean refused = (answer.getUnsignedShort(start + 2) & 0xf) != 0;
            if (questions == 0 && refused) {
                return true; // a server that could not read the query cannot repeat it
            }
            int length = query.questionEnd() - QueryMessage.HEADER_BYTES;
            return questions == 1
                    && answer.readableBytes() >= query.questionEnd()
                    && sameQuestion(
                            answer,
                            start + QueryMessage.HEADER_BYTES,
                            message.readerIndex() + QueryMessage.HEADER_BYTES,
                            length);
        }

        /// Servers may change the case of letters (RFC 4343).
        private boolean sameQuestion(ByteBuf answer, int at, int own, int length) {
            for (int i = 0; i < length; i++) {
                byte a = answer.getByte(at + i);
                byte b = message.getByte(own + i);
                if (a != b && !(isLetter(a) && (a ^ b) == 0x20)) {
                    return false;
                }
            }
            return true;
        }

        /// The next resolver, or the end, unless this one was given up before.
        private void failed(Channel ch, Refusal reason, String detail) {
            if (over || !isCurrent(ch)) {
                return;
            }
            if (asked < resolvers.size() && System.nanoTime() < deadlineNanos) {
                stop();
                start();
            } else {
                fail(reason, detail);
            }
        }

        private void fail(Refusal reason, String detail) {
            end();
            listener.failed(reason, detail);
        }

        private void end() {
            over = true;
            stop();
            message.release();
        }

        private void stop() {
            if (timer != null) {
                timer.cancel(false);
                timer = null;
            }
            if (channel != null) {
                var closing = channel;
                channel = null;
                if (closing.isRegistered()) {
                    var _ = closing.close();
                } // otherwise connecting has not begun or has failed, which closes it
            }
        }

        private final class DatagramAnswer extends SimpleChannelInboundHandler<DatagramPacket> {
            private final InetSocketAddress resolver;

            DatagramAnswer(InetSocketAddress resolver) {
                this.resolver = resolver;
            }

            @Override
            protected void channelRead0(ChannelHandlerContext ctx, DatagramPacket packet) {
                onMessage(ctx, packet.content(), resolver);
            }

            @Override
            public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
                failed(ctx.channel(), Refusal.UNREACHABLE, text(resolver) + ": " + cause.getMessage());
            }
        }

        private final class StreamAnswer extends SimpleChannelInboundHandler<ByteBuf> {
            private final InetSocketAddress resolver;

            StreamAnswer(InetSocketAddress resolver) {
                this.resolver = resolver;
            }

            @Override
            protected void channelRead0(ChannelHandlerContext ctx, ByteBuf answer) {
                onMessage(ctx, answer, resolver);
            }

            @Override
            public void channelInactive(ChannelHandlerContext ctx) {
                failed(ctx.channel(), Refusal.UNREACHABLE, text(resolver) + " closed the connection");
            }

            @Override
            public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
                failed(ctx.channel(), Refusal.UNREACHABLE, text(resolver) + ": " + cause.getMessage());
            }
        }
    }

    private static boolean isLetter(byte c) {
        int lower = c | 0x20;
        return lower >= 'a' && lower <= 'z';
    }

    static String text(InetSocketAddress address) {
        return address.getAddress().getHostAddress() + " port " + address.getPort();
    }
}
