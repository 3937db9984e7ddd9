package io.loam.runtime.relay;

import io.loam.protocol.hbone.TunnelStream;
import io.loam.protocol.linux.SocketOptions;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.epoll.StayingRegistered;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import io.netty.channel.socket.DuplexChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One socket of a relay, and the handler at the end of its pipeline. Turns what Netty says about a half-closable
/// socket into six plain events, and sees to it that nothing is read after the end of input: with half-closure
/// allowed such a read returns at once, again and again, and takes a core for itself (fast path, rule 11).
///
/// Made in the turn in which the socket was accepted or connected, well before it is known where its bytes go:
/// although auto-read is off until then, Netty's epoll transport reads a socket empty as soon as the peer sends FIN.
/// What comes early waits here, and is bounded by the socket's receive buffer.
public final class ApplicationSocket {
    private static final Logger log = LoggerFactory.getLogger(ApplicationSocket.class);

    /// One read, with its frame's header and what TLS adds to it, goes over a link as one piece of the kernel's
    /// (GSO). That holds as many whole segments as fit into 64 KiB: 61,768 bytes and more with every usual MTU.
    /// With 64 KiB each read became two, the second of a few hundred bytes, and woke the peer twice.
    static final int READ_BUFFER_BYTES = 60 << 10;

    private static final AdaptiveReads READS = new AdaptiveReads(TunnelStream.FRAME_HEADER_BYTES, READ_BUFFER_BYTES);

    /// Bytes for a slow application that wait in this process, above and below which the other side pauses and
    /// resumes.
    private static final WriteBufferWaterMark WRITE_MARKS = new WriteBufferWaterMark(64 << 10, 128 << 10);

    /// The same where nobody is paused by it, and what waits below the mark counts as taken.
    private static final WriteBufferWaterMark CLOSE_MARKS = new WriteBufferWaterMark(8 << 10, 16 << 10);

    /// Below the least time for which a kernel remembers a connection that it translates: a FIN that had to be sent
    /// twice makes 30 s of it, whatever the rules allow half-closed ones (hazard T10).
    private static final int HALF_CLOSED_PROBE_SECONDS = 20;

    private final DuplexChannel channel;
    private @Nullable Events events;
    private @Nullable ArrayDeque<ByteBuf> early;
    private @Nullable Throwable failure;
    private @Nullable String lostDetail;
    private boolean reading;
    private boolean inputEnded;

    /// A reset behind the end of input will be noticed.
    private boolean listeningForReset;

    private boolean outputEnding;
    private boolean outputEnded;
    private boolean closed;

    interface Events {
        /// @param data owned by the callee
        void onBytes(ByteBuf data);

        void onBytesComplete();

        /// FIN from the application: no more {@link #onBytes}.
        void onInputEnd();

        /// The socket takes bytes again after {@link #isWritable()} was false.
        void onSocketWritable();

        /// Our FIN went out behind the last byte.
        void onOutputEnd();

        /// The socket is gone, and not by {@link #close()} or {@link #abort()}.
        void onSocketLost(String detail);

        /// One of the methods above threw, or the socket met something that is not the network's doing. It is
        /// closed with RST, nothing more is called.
        void onBug(Throwable cause);
    }

    private ApplicationSocket(DuplexChannel channel) {
        this.channel = channel;
    }

    /// Takes the end of the socket's pipeline. Called on the event loop.
    ///
    /// @param channel active, auto-read off; from {@link Relay#start} or {@link SocketRelay#start()} on owned and
    ///     closed by the relay
    public static ApplicationSocket of(DuplexChannel channel) {
        var socket = new ApplicationSocket(channel);
        channel.config().setAutoRead(false);
        channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
        channel.config().setOption(ChannelOption.RECVBUF_ALLOCATOR, READS);
        channel.config().setWriteBufferWaterMark(WRITE_MARKS);
        channel.pipeline().addLast("relay", socket.new Handler());
        socket.stayRegistered();
        return socket;
    }

    /// Whether the socket broke off, or was closed in both directions, before it was joined with anything.
    public boolean isLost() {
        return lostDetail != null;
    }

    public DuplexChannel channel() {
        return channel;
    }

    /// Begins to report, with what came early, and to read.
    void start(Events joined) {
        events = joined;
        if (closed || !channel.isActive()) {
            closed = true;
            releaseEarly();
            joined.onSocketLost(lostDetail == null ? "closed before the relay began" : lostDetail);
            return;
        }
        if (early != null) {
            for (var data = early.poll(); data != null; data = early.poll()) {
                joined.onBytes(data);
            }
            early = null;
            joined.onBytesComplete();
        }
        if (inputEnded) {
            joined.onInputEnd();
        } else {
            resumeReading();
        }
    }

    void resumeReading() {
        if (!inputEnded && !reading && !closed) {
            reading = true;
            channel.config().setAutoRead(true);
        }
    }

    void pauseReading() {
        if (reading) {
            reading = false;
            channel.config().setAutoRead(false);
        }
    }

    /// @param data taken over
    void write(ByteBuf data) {
        if (closed || outputEnding) {
            data.release();
        } else {
            var _ = channel.write(data, channel.voidPromise()); // a failure comes to exceptionCaught
        }
    }

    void flush() {
        channel.flush();
    }

    /// Of what was written, next to nothing waits in this process when {@link #isWritable()} is true.
    void passOnClosely() {
        channel.config().setWriteBufferWaterMark(CLOSE_MARKS);
    }

    boolean isWritable() {
        return channel.isWritable();
    }

    boolean isInputEnded() {
        return inputEnded;
    }

    boolean isOutputEnded() {
        return outputEnded;
    }

    /// FIN behind everything written. Shutting the output down at once would drop what still waits in the channel.
    void endOutput() {
        if (closed || outputEnding) {
            return;
        }
        outputEnding = true;
        var _ = channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener((ChannelFutureListener) this::shutDownOutput);
    }

    private void shutDownOutput(ChannelFuture written) {
        if (!written.isSuccess()) {
            lose(text(written.cause()));
        } else if (!closed) {
            var _ = channel.shutdownOutput().addListener((ChannelFutureListener) this::onOutputShutDown);
        }
    }

    private void onOutputShutDown(ChannelFuture shut) {
        if (!shut.isSuccess()) {
            lose(text(shut.cause())); // the application had already broken the connection off
        } else if (!closed) {
            outputEnded = true;
            probeWhileHalfClosed();
            if (events != null) {
                try {
                    events.onOutputEnd();
                } catch (RuntimeException | Error bug) { // Netty would log it and leave the connection open
                    endByBug(events, bug);
                }
            }
        }
    }

    /// Closes in order. Both directions have ended, or nothing more can be done for them.
    void close() {
        if (!closed) {
            closed = true;
            var _ = channel.close();
        }
    }

    /// Closes with RST, as the other side's connection was broken off.
    void abort() {
        if (!closed) {
            closed = true;
            if (channel.isActive()) {
                channel.config().setOption(ChannelOption.SO_LINGER, 0);
            }
            var _ = channel.close();
        }
    }

    private void stayRegistered() {
        if (channel instanceof EpollSocketChannel epoll && epoll.isRegistered() && epoll.isOpen()) {
            try {
                if (inputEnded) {
                    StayingRegistered.afterEndOfInput(epoll);
                } else {
                    StayingRegistered.keep(epoll);
                }
            } catch (IOException | UncheckedIOException e) {
                lose(text(e));
            }
        }
    }

    private void endInput() {
        if (!inputEnded && !closed) {
            inputEnded = true;
            stayRegistered();
            pauseReading();
            if (events != null && !closed) {
                events.onInputEnd();
            }
        }
    }

    /// Netty has read the FIN to the end, or there is an event behind it: a reset is the only one that matters. Later
    /// in this turn at first, because Netty reads the FIN of one event twice.
    private void onBehindEndOfInput() {
        if (listeningForReset) {
            lookForReset();
        } else if (inputEnded && !closed) {
            listeningForReset = true;
            channel.eventLoop().execute(() -> {
                lookForReset();
                probeWhileHalfClosed();
            });
        }
    }

    private void lookForReset() {
        if (closed || !(channel instanceof EpollSocketChannel epoll) || !epoll.isOpen()) {
            return;
        }
        StayingRegistered.listenForReset(epoll); // first: what comes after is an event again
        try {
            int error = StayingRegistered.pendingError(epoll);
            if (error != 0) {
                lose("reset behind the end of its input, error " + error);
            }
        } catch (IOException e) {
            lose(text(e));
        }
    }

    /// The other direction may be silent for as long as it likes.
    private void probeWhileHalfClosed() {
        if (inputEnded != outputEnded && !closed && channel instanceof EpollSocketChannel && channel.isActive()) {
            var config = channel.config();
            config.setOption(SocketOptions.KEEP_ALIVE, 1);
            config.setOption(SocketOptions.KEEP_IDLE_SECONDS, HALF_CLOSED_PROBE_SECONDS);
            config.setOption(SocketOptions.KEEP_INTERVAL_SECONDS, HALF_CLOSED_PROBE_SECONDS);
        }
    }

    private void lose(String detail) {
        if (closed) {
            return;
        }
        closed = true;
        lostDetail = detail;
        releaseEarly();
        if (channel.isActive()) {
            channel.config().setOption(ChannelOption.SO_LINGER, 0);
            var _ = channel.close();
        }
        if (events != null) {
            try {
                events.onSocketLost(detail);
            } catch (RuntimeException | Error bug) { // Netty would only log what is thrown while it reports a failure
                endByBug(events, bug);
            }
        }
    }

    private void endByBug(Events to, Throwable bug) {
        abort();
        try {
            to.onBug(bug);
        } catch (RuntimeException | Error again) {
            bug.addSuppressed(again);
            log.error("relay ended by a bug, and failed again when it was told", bug);
        }
    }

    /// With what is behind it: that an output was shut down says little, why it was says all.
    private static String text(Throwable failure) {
        var cause = failure.getCause();
        return cause == null ? failure.toString() : failure + ", because " + cause;
    }

    private void releaseEarly() {
        if (early != null) {
            early.forEach(ByteBuf::release);
            early = null;
        }
    }

    private final class Handler extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            var data = (ByteBuf) message;
            if (closed) {
                data.release();
            } else if (events != null) {
                events.onBytes(data);
            } else {
                if (early == null) {
                    early = new ArrayDeque<>();
                }
                early.add(data);
            }
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            if (!closed && events != null) {
                events.onBytesComplete();
            }
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event == ChannelInputShutdownReadComplete.INSTANCE) {
                onBehindEndOfInput();
            } else if (event != ChannelInputShutdownEvent.INSTANCE) {
                return;
            } else if (failure == null) {
                endInput();
            } else {
                lose(text(failure)); // a read error also shuts the input down, but it is no FIN
            }
        }

        @Override
        public void channelWritabilityChanged(ChannelHandlerContext ctx) {
            if (!closed && events != null && channel.isWritable()) {
                events.onSocketWritable();
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            if (events != null && !(cause instanceof IOException)) {
                endByBug(events, cause);
                return;
            }
            if (failure == null) {
                failure = cause;
            }
            lose(text(cause));
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            lose(failure == null ? "closed" : text(failure));
        }
    }
}
