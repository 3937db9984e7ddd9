package io.loam.protocol.hbone;

import static io.loam.protocol.hbone.WireFrames.DATA;
import static io.loam.protocol.hbone.WireFrames.END_STREAM;
import static io.loam.protocol.hbone.WireFrames.HEADERS;
import static io.loam.protocol.hbone.WireFrames.PRIORITY;
import static io.loam.protocol.hbone.WireFrames.connect;
import static io.loam.protocol.hbone.WireFrames.continuation;
import static io.loam.protocol.hbone.WireFrames.data;
import static io.loam.protocol.hbone.WireFrames.frame;
import static io.loam.protocol.hbone.WireFrames.headers;
import static io.loam.protocol.hbone.WireFrames.hex;
import static io.loam.protocol.hbone.WireFrames.join;
import static io.loam.protocol.hbone.WireFrames.ping;
import static io.loam.protocol.hbone.WireFrames.priority;
import static io.loam.protocol.hbone.WireFrames.resetStream;
import static io.loam.protocol.hbone.WireFrames.settings;
import static io.loam.protocol.hbone.WireFrames.windowUpdate;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.loam.protocol.hbone.TunnelUnderTest.Application;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.util.ResourceLeakDetector;
import java.lang.management.ManagementFactory;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Hazards T1 to T6: a peer with a good certificate that attacks. What a flood costs in time and in resident memory
/// of an agent is measured in namespaces; here it is counted.
class TunnelAttackTest {
    private static final long CANCEL = Http2Error.CANCEL.code();
    private static final int LONG_STREAMS = 10;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /// What a peer repeats; the number counts up from 0.
    record Flood(String what, IntFunction<ByteBuf> frame) {
        @Override
        public String toString() {
            return what;
        }
    }

    /// The `index`-th stream of a peer that opens them in a row.
    private static int stream(int index) {
        return 2 * index + 1;
    }

    /// Hazard T2, the figure in full: 20,000 connections that an application resets ride one tunnel with 10 that stay.
    @Test
    void twentyThousandResetsAfterTheAnswerDisturbNobody() {
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            for (int i = 0; i < LONG_STREAMS; i++) {
                tunnel.send(headers(stream(i), connect()));
            }
            for (int i = LONG_STREAMS; i < LONG_STREAMS + 20_000; i++) {
                tunnel.send(headers(stream(i), connect()), data(stream(i), 0, "short"), resetStream(stream(i), CANCEL));
            }
            tunnel.alive();
            assertThat(tunnel.heard).hasSize(40_000);
            tunnel.heard.clear();
            for (int i = 0; i < LONG_STREAMS; i++) {
                tunnel.send(data(stream(i), END_STREAM, "long " + i));
                assertThat(tunnel.heard).endsWith("long " + i, "END");
            }
            assertThat(tunnel.heard).hasSize(2 * LONG_STREAMS);
        }
    }

    /// Errors for which we reset a stream (RFC 9113, 5.4.2).
    static Stream<Flood> errorsOfThePeer() {
        return Stream.of(
                new Flood("window overflow", id -> windowUpdate(id, Integer.MAX_VALUE)),
                new Flood("window update of 0", id -> windowUpdate(id, 0)),
                new Flood("DATA behind END_STREAM", id -> join(data(id, END_STREAM, ""), data(id, 0, "x"))),
                new Flood("HEADERS on a connected stream", id -> headers(id, connect())),
                new Flood("PRIORITY of 4 bytes", id -> frame(PRIORITY, 0, id, hex("00000000"))),
                new Flood("PRIORITY on itself", id -> priority(id, id, 16)));
    }

    /// Hazard T3. Every dial is given up, and there are no more than 200.
    @ParameterizedTest(name = "{0}")
    @MethodSource("errorsOfThePeer")
    void resetsThatThePeerProvokesEndTheTunnel(Flood error) {
        try (var tunnel = TunnelUnderTest.undecided()) {
            for (int i = 0; i < 1000 && tunnel.peer.tunnel.isOpen(); i++) {
                tunnel.send(headers(stream(i), connect()), error.frame().apply(stream(i)));
                assertThat(tunnel.dialled.size() - tunnel.abandoned)
                        .as("dials in progress")
                        .isZero();
            }
            tunnel.connectionError(Http2Error.ENHANCE_YOUR_CALM);
            assertThat(tunnel.dialled).hasSizeLessThanOrEqualTo(200);
        }
    }

    /// Hazard T3 when the connection is there already: it is cut, and the resets count all the same.
    @ParameterizedTest(name = "{0}")
    @MethodSource("errorsOfThePeer")
    void resetsOfAnsweredStreamsThatThePeerProvokesEndTheTunnel(Flood error) {
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            for (int i = 0; i < 1000 && tunnel.peer.tunnel.isOpen(); i++) {
                tunnel.send(headers(stream(i), connect()), error.frame().apply(stream(i)));
                assertThat(tunnel.heard.getLast()).startsWith("RESET ");
            }
            tunnel.connectionError(Http2Error.ENHANCE_YOUR_CALM);
            assertThat(tunnel.dialled).hasSizeLessThanOrEqualTo(200);
        }
    }

    /// Hazard T4: HEADERS, then up to a million empty CONTINUATIONs.
    @Test
    void aMillionContinuationsEndAfterNine() {
        assertThat(continuationsUntilTheEnd()).isLessThanOrEqualTo(9);
    }

    private static int continuationsUntilTheEnd() {
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            tunnel.send(frame(HEADERS, 0, 1, connect()));
            int sent = 0;
            while (sent < 1_000_000 && tunnel.peer.tunnel.isOpen()) {
                tunnel.send(continuation(1, 0, Unpooled.EMPTY_BUFFER));
                sent++;
            }
            tunnel.connectionError(Http2Error.ENHANCE_YOUR_CALM);
            return sent;
        }
    }

    /// Hazard T4 in bytes that are there already: reading on after the ninth would cost seconds.
    @Test
    void aMillionContinuationsInOneReadCostNothing() {
        var empty = continuation(1, 0, Unpooled.EMPTY_BUFFER);
        var flood = Unpooled.buffer(9_000_100).writeBytes(join(frame(HEADERS, 0, 1, connect())));
        for (int i = 0; i < 1_000_000; i++) {
            flood.writeBytes(empty, 0, empty.readableBytes());
        }
        empty.release();
        assertThat(continuationsUntilTheEnd()).isPositive(); // loads the classes
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            long before = THREADS.getCurrentThreadCpuTime();
            tunnel.send(flood);
            long micros = (THREADS.getCurrentThreadCpuTime() - before) / 1000;

            tunnel.connectionError(Http2Error.ENHANCE_YOUR_CALM);
            System.out.println("hazard T4: closed, " + micros + " us of CPU for 1,000,000 empty CONTINUATIONs");
            assertThat(micros).isLessThanOrEqualTo(10_000);
        }
    }

    /// Hazard T4: few frames with much in them.
    @Test
    void aHeaderBlockAboveItsLimitEndsTheTunnel() {
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            tunnel.send(frame(HEADERS, 0, 1, connect()));
            int bytes = 0;
            while (bytes < (1 << 20) && tunnel.peer.tunnel.isOpen()) {
                tunnel.send(continuation(1, 0, WireFrames.block("x-ballast", "x".repeat(12_000))));
                bytes += 12_000;
            }
            assertThat(tunnel.peer.tunnel.isOpen()).isFalse();
            assertThat(tunnel.dialled).isEmpty();
            assertThat(bytes).isLessThanOrEqualTo(24_000); // the first one fits, the second does not
        }
    }

    /// Hazard T5: a field of 1,000 bytes goes into the table once, then costs one byte each time. Cookies are what
    /// servers join, so they are tried as well.
    @ParameterizedTest
    @ValueSource(strings = {"x-bomb", "cookie"})
    void aHeaderBombExpandsToNothing(String name) {
        var level = ResourceLeakDetector.getLevel();
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED); // its stack traces are no heap of ours
        try {
            expandsToNothing(name);
        } finally {
            ResourceLeakDetector.setLevel(level);
        }
    }

    private static void expandsToNothing(String name) {
        long least = Long.MAX_VALUE;
        int received = 0;
        for (int round = 0; round < 5; round++) { // the first one loads classes
            try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
                tunnel.send(headers(1, join(connect(), indexed(name, "x".repeat(1000)))));
                assertThat(tunnel.dialled).hasSize(1);
                var references = Unpooled.buffer().writeZero(15_000);
                for (int i = 0; i < references.readableBytes(); i++) {
                    references.setByte(i, 0x80 | 62);
                }
                var bomb = headers(3, join(connect(), references));
                received = bomb.readableBytes();
                long before = THREADS.getCurrentThreadAllocatedBytes();
                tunnel.send(bomb);
                least = Math.min(least, THREADS.getCurrentThreadAllocatedBytes() - before);

                assertThat(tunnel.dialled).hasSize(1);
                assertThat(tunnel.peer.seen.getLast()).isIn("HEADERS 3 431 END", "RST 3 PROTOCOL_ERROR");
                tunnel.send(headers(5, connect())).served(5);
            }
        }
        System.out.println("hazard T5: " + name + " at 1:1000, " + received + " B received, at most " + least
                + " B of heap for it");
        assertThat(least).as("heap for %d bytes received", received).isLessThanOrEqualTo(10L * received);
    }

    private static ByteBuf indexed(String name, String value) {
        var literal = WireFrames.block(name, value);
        return literal.setByte(0, 0x40); // RFC 7541, 6.2.1
    }

    /// Hazard T5: many fields of nothing.
    @Test
    void refusesMoreThanAHundredFields() {
        var fields = new String[2 * 99];
        for (int i = 0; i < fields.length; i++) {
            fields[i] = i % 2 == 0 ? "a" + i : "";
        }
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            tunnel.send(headers(1, connect(fields)));
            tunnel.refusedStream(1, Http2Error.ENHANCE_YOUR_CALM);
        }
    }

    static Stream<Flood> floods() {
        return Stream.of(
                new Flood("SETTINGS", _ -> settings()),
                new Flood("SETTINGS that change windows", i -> settings(WireFrames.INITIAL_WINDOW_SIZE, 1000 + i)),
                new Flood("PING", i -> ping(i)),
                new Flood("PRIORITY", i -> priority(1, 0, 1 + i % 256)),
                new Flood("PRIORITY of idle streams", i -> priority(stream(i + 1), 0, 16)),
                new Flood("empty DATA", _ -> data(1, 0, "")),
                new Flood("DATA of padding", _ -> frame(DATA, WireFrames.PADDED, 1, hex("03 000000"))),
                new Flood("WINDOW_UPDATE of the connection", _ -> windowUpdate(0, 1)),
                new Flood("WINDOW_UPDATE of a stream", _ -> windowUpdate(1, 1)));
    }

    /// Hazard T6: closed after at most so many frames, whether the peer reads or not.
    @ParameterizedTest(name = "{0}")
    @MethodSource("floods")
    void floodsEndTheTunnel(Flood flood) {
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            tunnel.send(headers(1, connect()));
            int sent = 0;
            while (sent < 100_000 && tunnel.peer.tunnel.isOpen()) {
                tunnel.send(flood.frame().apply(sent++));
            }
            tunnel.connectionError(Http2Error.ENHANCE_YOUR_CALM);
            assertThat(sent).isLessThanOrEqualTo(1100);
        }
    }

    /// Hazard T6: what we would answer stays bounded, and the end does not wait for the peer to read.
    @ParameterizedTest(name = "{0}")
    @MethodSource("floods")
    void floodsOfAPeerThatDoesNotReadEndTheTunnel(Flood flood) {
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            tunnel.send(headers(1, connect()));
            var stopped = new StoppedReader();
            tunnel.peer.tunnel.pipeline().addFirst(stopped);
            int sent = 0;
            while (sent < 1100 && tunnel.peer.tunnel.isOpen()) {
                tunnel.send(flood.frame().apply(sent++));
            }
            tunnel.peer.tunnel.advanceTimeBy(1100, TimeUnit.MILLISECONDS);
            tunnel.peer.tunnel.runScheduledPendingTasks();
            assertThat(tunnel.peer.tunnel.isOpen()).isFalse();
            assertThat(stopped.held).isLessThanOrEqualTo(1000);
        }
    }

    /// Hazard T6, slowly: below every rate, for as long as the queue of answers lasts.
    @Test
    void aSlowFloodOfAPeerThatDoesNotReadEndsAtAThousandAnswers() {
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            var stopped = new StoppedReader();
            tunnel.peer.tunnel.pipeline().addFirst(stopped);
            tunnel.peer.tunnel.freezeTime();
            int sent = 0;
            while (sent < 3000 && tunnel.peer.tunnel.isOpen()) {
                tunnel.send(ping(sent++));
                if (sent % 90 == 0) {
                    tunnel.peer.tunnel.advanceTimeBy(10_100, TimeUnit.MILLISECONDS);
                    tunnel.peer.tunnel.runScheduledPendingTasks();
                }
            }
            assertThat(tunnel.peer.tunnel.isOpen()).isFalse();
            assertThat(stopped.held).isBetween(900, 1020); // with a PING of ours each 10 s, while nothing was sent
        }
    }

    /// An honest peer credits all it gets in small pieces, on the stream and on the connection.
    @Test
    void windowUpdatesForWhatWasSentAreFree() {
        try (var tunnel = TunnelUnderTest.with(Application.ECHO)) {
            tunnel.send(headers(1, connect()));
            var chunk = "x".repeat(1000);
            for (int i = 0; i < 10_000; i++) {
                tunnel.send(data(1, 0, chunk), windowUpdate(1, 1000), windowUpdate(0, 1000));
            }
            tunnel.alive();
        }
    }

    /// Takes nothing any more: what is written waits, as it does behind a full socket, and fails at the close.
    private static final class StoppedReader extends ChannelOutboundHandlerAdapter {
        private final ArrayDeque<ChannelPromise> waiting = new ArrayDeque<>();
        private int held;

        @Override
        public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
            held++;
            ((ByteBuf) message).release();
            waiting.add(promise);
        }

        @Override
        public void flush(ChannelHandlerContext ctx) {}

        @Override
        public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
            for (var write = waiting.poll(); write != null; write = waiting.poll()) {
                write.tryFailure(new ClosedChannelException());
            }
            var _ = ctx.close(promise);
        }
    }
}
