package io.loam.protocol.hbone;

import static io.loam.protocol.hbone.ConformanceCase.sent;
import static io.loam.protocol.hbone.WireFrames.*;
import static io.netty.handler.codec.http2.Http2Error.CANCEL;
import static io.netty.handler.codec.http2.Http2Error.FLOW_CONTROL_ERROR;
import static io.netty.handler.codec.http2.Http2Error.FRAME_SIZE_ERROR;
import static io.netty.handler.codec.http2.Http2Error.PROTOCOL_ERROR;
import static io.netty.handler.codec.http2.Http2Error.REFUSED_STREAM;
import static io.netty.handler.codec.http2.Http2Error.STREAM_CLOSED;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.protocol.hbone.ConformanceCase.Script;
import io.loam.protocol.hbone.TunnelUnderTest.Application;
import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// What RFC 9113 says about each frame, most of it sent wrong: 95 cases.
final class FramingCases {
    private static final int OPEN_AND_ENDED = END_HEADERS | END_STREAM;

    private FramingCases() {}

    static Stream<ConformanceCase> all() {
        return Stream.of(connection(), streamStates(), data(), headersAndPriority(), resetAndSettings(), control())
                .flatMap(cases -> cases);
    }

    private static ConformanceCase dies(String clause, Http2Error code, ByteBufs sent) {
        return sent(
                "RFC 9113, " + clause,
                "connection error " + code,
                tunnel -> tunnel.send(sent.get()).connectionError(code));
    }

    private static ConformanceCase breaksStream(String clause, Http2Error code, ByteBufs sent) {
        return sent(
                "RFC 9113, " + clause,
                "stream error " + code,
                tunnel -> tunnel.send(sent.get()).streamError(1, code));
    }

    private static ConformanceCase sees(String clause, String expected, Script script) {
        return sent("RFC 9113, " + clause, expected, script);
    }

    /// Buffers are made when a case runs, since sending takes them.
    private interface ByteBufs {
        ByteBuf[] get();
    }

    private static ByteBuf[] all(ByteBuf... frames) {
        return frames;
    }

    private static ByteBuf connected() {
        return headers(1, connect());
    }

    private static ByteBuf endedConnect() {
        return frame(HEADERS, OPEN_AND_ENDED, 1, connect());
    }

    private static ByteBuf trailers() {
        return frame(HEADERS, OPEN_AND_ENDED, 1, block("x-test", "ok"));
    }

    private static Stream<ConformanceCase> connection() {
        return Stream.of(
                new ConformanceCase("RFC 9113, 3.4: preface", "SETTINGS come first", Application.SILENT, _ -> {
                    try (var tunnel = TunnelUnderTest.beforePreface()) {
                        tunnel.send(TunnelUnderTest.preface(), settings());
                        assertThat(tunnel.peer.seen.getFirst()).startsWith("SETTINGS streams=");
                    }
                }),
                new ConformanceCase("RFC 9113, 3.4: another preface", "closed", Application.SILENT, _ -> {
                    try (var tunnel = TunnelUnderTest.beforePreface()) {
                        tunnel.send(text("INVALID CONNECTION PREFACE\r\n\r\n"));
                        assertThat(tunnel.peer.tunnel.isOpen()).isFalse();
                    }
                }),
                sees(
                        "4.1: frame of unknown type",
                        "ignored",
                        tunnel ->
                                tunnel.send(frame(0x16, 0, 0, text("12345678"))).ignored()),
                sees(
                        "4.1: PING with flags that are not defined",
                        "answered",
                        tunnel -> tunnel.send(frame(PING, 0x16, 0, text("12345678")))
                                .seenLast("PONG 3132333435363738")),
                sees(
                        "4.1: PING with the reserved bit",
                        "answered",
                        tunnel -> tunnel.send(frame(PING, 0, 0x80000000, text("12345678")))
                                .seenLast("PONG 3132333435363738")),
                sees("4.2: DATA of 16,384 bytes", "delivered", tunnel -> {
                    tunnel.send(connected(), WireFrames.data(1, END_STREAM, "x".repeat(16_384)));
                    assertThat(tunnel.heard).containsExactly("x".repeat(16_384), "END");
                    tunnel.served(1);
                }),
                dies(
                        "4.2: DATA above SETTINGS_MAX_FRAME_SIZE",
                        FRAME_SIZE_ERROR,
                        () -> all(connected(), WireFrames.data(1, 0, "x".repeat(65_537)))),
                dies(
                        "4.2: HEADERS above SETTINGS_MAX_FRAME_SIZE",
                        FRAME_SIZE_ERROR,
                        () -> all(headers(1, connect("x-ballast", "x".repeat(65_537))))),
                dies(
                        "4.3: header block cut in a field",
                        Http2Error.COMPRESSION_ERROR,
                        () -> all(headers(1, hex("40 0a 01")))),
                dies(
                        "4.3: PRIORITY inside a header block",
                        PROTOCOL_ERROR,
                        () -> all(
                                frame(HEADERS, 0, 1, connect()),
                                priority(1, 0, 256),
                                continuation(1, END_HEADERS, ballast()))),
                dies(
                        "4.3: HEADERS of another stream inside a header block",
                        PROTOCOL_ERROR,
                        () -> all(frame(HEADERS, 0, 1, connect()), headers(3, connect()))),
                sees(
                        "5.4.1: malformed PING",
                        "closed",
                        tunnel -> tunnel.send(frame(PING, 0, 0, text("123456"))).connectionError(FRAME_SIZE_ERROR)),
                sees("5.4.1: malformed PING", "GOAWAY first", tunnel -> {
                    tunnel.send(frame(PING, 0, 0, text("123456")));
                    assertThat(tunnel.peer.seen).endsWith("GOAWAY FRAME_SIZE_ERROR");
                }),
                sees(
                        "5.5: extension frame",
                        "ignored",
                        tunnel ->
                                tunnel.send(frame(0x16, 0, 0, text("12345678"))).ignored()),
                dies(
                        "5.5: extension frame inside a header block",
                        PROTOCOL_ERROR,
                        () -> all(frame(HEADERS, 0, 1, connect()), frame(0x16, 0, 0, text("12345678")))),
                sees("7: GOAWAY with an unknown code", "PING is answered", tunnel -> {
                    tunnel.send(frame(GOAWAY, 0, 0, ints(0, 0xff)), ping(7));
                    assertThat(tunnel.peer.seen).endsWith("PONG 7");
                }),
                sees("7: RST_STREAM with an unknown code", "the tunnel goes on", tunnel -> {
                    tunnel.send(connected(), resetStream(1, 0xff)).ignored();
                    assertThat(tunnel.heard).containsExactly("RESET error 255");
                }));
    }

    private static Stream<ConformanceCase> streamStates() {
        return Stream.of(
                dies("5.1: DATA on an idle stream", PROTOCOL_ERROR, () -> all(WireFrames.data(1, END_STREAM, "test"))),
                dies("5.1: RST_STREAM on an idle stream", PROTOCOL_ERROR, () -> all(resetStream(1, CANCEL.code()))),
                dies("5.1: WINDOW_UPDATE on an idle stream", PROTOCOL_ERROR, () -> all(windowUpdate(1, 100))),
                dies(
                        "5.1: CONTINUATION on an idle stream",
                        PROTOCOL_ERROR,
                        () -> all(continuation(1, END_HEADERS, connect()))),
                breaksStream(
                        "5.1: DATA on a half-closed stream",
                        STREAM_CLOSED,
                        () -> all(endedConnect(), WireFrames.data(1, END_STREAM, "test"))),
                breaksStream(
                        "5.1: HEADERS on a half-closed stream",
                        PROTOCOL_ERROR,
                        () -> all(endedConnect(), endedConnect())),
                dies(
                        "5.1: CONTINUATION on a half-closed stream",
                        PROTOCOL_ERROR,
                        () -> all(endedConnect(), continuation(1, END_HEADERS, connect()))),
                breaksStream(
                        "5.1: DATA after RST_STREAM",
                        STREAM_CLOSED,
                        () -> all(connected(), resetStream(1, CANCEL.code()), WireFrames.data(1, END_STREAM, "test"))),
                sees(
                        "5.1: HEADERS after RST_STREAM",
                        "error STREAM_CLOSED",
                        tunnel -> tunnel.send(connected(), resetStream(1, CANCEL.code()), trailers())
                                .closedStreamError(1)),
                dies(
                        "5.1: CONTINUATION after RST_STREAM",
                        PROTOCOL_ERROR,
                        () -> all(connected(), resetStream(1, CANCEL.code()), continuation(1, END_HEADERS, ballast()))),
                sees(
                                "5.1: DATA on a closed stream",
                                "error STREAM_CLOSED",
                                tunnel -> tunnel.send(endedConnect(), WireFrames.data(1, END_STREAM, "test"))
                                        .closedStreamError(1))
                        .behind(Application.POLITE),
                sees(
                                "5.1: HEADERS on a closed stream",
                                "error STREAM_CLOSED",
                                tunnel ->
                                        tunnel.send(endedConnect(), trailers()).closedStreamError(1))
                        .behind(Application.POLITE),
                sees(
                                "5.1: CONTINUATION on a closed stream",
                                "connection error PROTOCOL_ERROR",
                                tunnel -> tunnel.send(endedConnect(), continuation(1, END_HEADERS, ballast()))
                                        .connectionError(PROTOCOL_ERROR))
                        .behind(Application.POLITE),
                dies("5.1.1: HEADERS on an even stream", PROTOCOL_ERROR, () -> all(headers(2, connect()))),
                sees("5.1.1: HEADERS on a lower stream", "error STREAM_CLOSED, no dial", tunnel -> {
                    tunnel.send(headers(5, connect()), headers(3, connect())).closedStreamError(3);
                    assertThat(tunnel.dialled).hasSize(1);
                }),
                sees("5.1.2: one stream more than we allow", "stream error", tunnel -> {
                    for (int i = 0; i <= 200; i++) {
                        tunnel.send(headers(2 * i + 1, connect()));
                    }
                    assertThat(tunnel.dialled).hasSize(200);
                    tunnel.streamError(401, PROTOCOL_ERROR, REFUSED_STREAM);
                }),
                dies(
                        "5.3.1: HEADERS that depend on themselves",
                        PROTOCOL_ERROR,
                        () -> all(
                                frame(HEADERS, WITH_PRIORITY | END_HEADERS, 1, join(prioritized(1, 256), connect())))),
                breaksStream("5.3.1: PRIORITY that depends on itself", PROTOCOL_ERROR, () -> all(priority(1, 1, 256))));
    }

    private static Stream<ConformanceCase> data() {
        return Stream.of(
                dies("6.1: DATA on stream 0", PROTOCOL_ERROR, () -> all(WireFrames.data(0, END_STREAM, "test"))),
                breaksStream(
                        "6.1: DATA behind END_STREAM",
                        STREAM_CLOSED,
                        () -> all(
                                connected(),
                                WireFrames.data(1, END_STREAM, ""),
                                WireFrames.data(1, END_STREAM, "test"))),
                dies(
                        "6.1: DATA with more padding than payload",
                        PROTOCOL_ERROR,
                        () -> all(connected(), frame(DATA, PADDED | END_STREAM, 1, join(hex("06"), text("Test"))))),
                sees(
                                "6.9.1: window of 1, then CONNECT",
                                "DATA of one byte",
                                tunnel -> tunnel.send(settings(INITIAL_WINDOW_SIZE, 1), connected())
                                        .seenLast("DATA 1 G"))
                        .behind(Application.GREETING),
                dies(
                        "6.9.1: connection window above 2^31-1",
                        FLOW_CONTROL_ERROR,
                        () -> all(windowUpdate(0, Integer.MAX_VALUE), windowUpdate(0, Integer.MAX_VALUE))),
                breaksStream(
                        "6.9.1: stream window above 2^31-1",
                        FLOW_CONTROL_ERROR,
                        () -> all(connected(), windowUpdate(1, Integer.MAX_VALUE), windowUpdate(1, Integer.MAX_VALUE))),
                sees("6.9.2: initial window from 0 to 1 with an open stream", "DATA of one byte", tunnel -> {
                            tunnel.send(settings(INITIAL_WINDOW_SIZE, 0), connected());
                            assertThat(tunnel.peer.seen).endsWith("HEADERS 1 200");
                            tunnel.send(settings(INITIAL_WINDOW_SIZE, 1));
                            assertThat(tunnel.peer.seen).contains("DATA 1 G");
                            tunnel.alive();
                        })
                        .behind(Application.GREETING),
                sees("6.9.2: window that becomes negative", "DATA of what is left", tunnel -> {
                            tunnel.send(settings(INITIAL_WINDOW_SIZE, 3), connected());
                            assertThat(tunnel.peer.seen).endsWith("DATA 1 Goo");
                            tunnel.send(settings(INITIAL_WINDOW_SIZE, 2), windowUpdate(1, 2));
                            tunnel.seenLast("DATA 1 d");
                        })
                        .behind(Application.GREETING),
                dies(
                        "6.9.2: initial window above 2^31-1",
                        FLOW_CONTROL_ERROR,
                        () -> all(settings(INITIAL_WINDOW_SIZE, 0x80000000))),
                dies("6.9: WINDOW_UPDATE of 0 for the connection", PROTOCOL_ERROR, () -> all(windowUpdate(0, 0))),
                breaksStream(
                        "6.9: WINDOW_UPDATE of 0 for a stream",
                        PROTOCOL_ERROR,
                        () -> all(connected(), windowUpdate(1, 0))),
                dies(
                        "6.9: WINDOW_UPDATE of 3 bytes",
                        FRAME_SIZE_ERROR,
                        () -> all(frame(WINDOW_UPDATE, 0, 0, hex("000001")))));
    }

    private static Stream<ConformanceCase> headersAndPriority() {
        return Stream.of(
                dies(
                        "6.2: HEADERS without END_HEADERS, then PRIORITY",
                        PROTOCOL_ERROR,
                        () -> all(
                                frame(HEADERS, 0, 1, connect()),
                                priority(1, 0, 256),
                                continuation(1, END_HEADERS, ballast()))),
                dies(
                        "6.2: HEADERS without END_HEADERS, then HEADERS of another stream",
                        PROTOCOL_ERROR,
                        () -> all(
                                frame(HEADERS, 0, 1, connect()),
                                headers(3, connect()),
                                continuation(1, END_HEADERS, ballast()))),
                dies("6.2: HEADERS on stream 0", PROTOCOL_ERROR, () -> all(headers(0, connect()))),
                dies(
                        "6.2: HEADERS with more padding than payload",
                        PROTOCOL_ERROR,
                        () -> all(frame(HEADERS, PADDED | END_HEADERS, 1, join(hex("ff"), connect())))),
                dies("6.3: PRIORITY on stream 0", PROTOCOL_ERROR, () -> all(priority(0, 0, 256))),
                breaksStream(
                        "6.3: PRIORITY of 4 bytes",
                        FRAME_SIZE_ERROR,
                        () -> all(connected(), frame(PRIORITY, 0, 1, hex("80000001")))),
                sees(
                        "6.10: CONTINUATIONs behind HEADERS",
                        "200",
                        tunnel -> tunnel.send(
                                        frame(HEADERS, 0, 1, connect()),
                                        continuation(1, 0, ballast()),
                                        continuation(1, END_HEADERS, ballast()))
                                .served(1)),
                dies(
                        "6.10: CONTINUATION, then DATA",
                        PROTOCOL_ERROR,
                        () -> all(
                                frame(HEADERS, 0, 1, connect()),
                                continuation(1, 0, ballast()),
                                WireFrames.data(1, 0, "test"))),
                dies(
                        "6.10: CONTINUATION on stream 0",
                        PROTOCOL_ERROR,
                        () -> all(frame(HEADERS, 0, 1, connect()), continuation(0, END_HEADERS, ballast()))),
                dies(
                        "6.10: CONTINUATION behind END_HEADERS",
                        PROTOCOL_ERROR,
                        () -> all(connected(), continuation(1, END_HEADERS, ballast()))),
                dies(
                        "6.10: CONTINUATION behind a CONTINUATION with END_HEADERS",
                        PROTOCOL_ERROR,
                        () -> all(
                                frame(HEADERS, 0, 1, connect()),
                                continuation(1, END_HEADERS, ballast()),
                                continuation(1, END_HEADERS, ballast()))),
                dies(
                        "6.10: CONTINUATION behind DATA",
                        PROTOCOL_ERROR,
                        () -> all(
                                frame(HEADERS, 0, 1, connect()),
                                WireFrames.data(1, END_STREAM, "test"),
                                continuation(1, END_HEADERS, ballast()))),
                requestError("8.2: field name in upper case", () -> connect("X-TEST", "ok")),
                requestError("8.3: unknown pseudo-header field", () -> connect(":test", "ok")),
                requestError("8.3: pseudo-header field of responses", () -> connect(":status", "200")),
                breaksStream(
                        "8.1: pseudo-header field in trailers",
                        PROTOCOL_ERROR,
                        () -> all(connected(), frame(HEADERS, OPEN_AND_ENDED, 1, block(":method", "200")))),
                requestError(
                        "8.3: pseudo-header field behind another field",
                        () -> block(":method", "CONNECT", "x-test", "ok", ":authority", "10.0.0.7:8080")),
                requestError("8.2.2: connection-specific field", () -> connect("connection", "keep-alive")),
                requestError("8.2.2: te other than trailers", () -> connect("te", "trailers, deflate")),
                requestError("8.3.1: empty :path", () -> get(":method", "GET", ":scheme", "https", ":path", "")),
                badRequest("8.3.1: no :method", () -> get(":scheme", "https", ":path", "/")),
                badRequest("8.3.1: no :scheme", () -> get(":method", "GET", ":path", "/")),
                badRequest("8.3.1: no :path", () -> get(":method", "GET", ":scheme", "https")),
                requestError("8.3.1: two :method", () -> join(block(":method", "CONNECT"), connect())),
                requestError(
                        "8.3.1: two :scheme",
                        () -> get(":method", "GET", ":scheme", "https", ":scheme", "https", ":path", "/")),
                requestError(
                        "8.3.1: two :path",
                        () -> get(":method", "GET", ":scheme", "https", ":path", "/", ":path", "/")),
                contentLength("8.1.1: content-length unlike the DATA", "test"),
                contentLength("8.1.1: content-length unlike the sum of the DATA", "te", "st"),
                breaksStream(
                        "8.1: second HEADERS without END_STREAM",
                        PROTOCOL_ERROR,
                        () -> all(connected(), headers(1, block("x-test", "ok")))),
                dies(
                        "8.4: PUSH_PROMISE of a client",
                        PROTOCOL_ERROR,
                        () -> all(connected(), frame(PUSH_PROMISE, END_HEADERS, 1, join(ints(3), connect())))));
    }

    private static ByteBuf get(String... fields) {
        return join(block(fields), block(":authority", "10.0.0.7:8080"));
    }

    private static ConformanceCase requestError(String clause, Supplier<ByteBuf> block) {
        return sees(
                clause,
                "stream error PROTOCOL_ERROR, no dial",
                tunnel -> tunnel.send(headers(1, block.get())).refusedStream(1, PROTOCOL_ERROR));
    }

    /// h2spec wants a reset. A server may answer before it (RFC 9113, 8.1.1), and 400 tells the peer's log what is
    /// wrong; nothing is dialled either way.
    private static ConformanceCase badRequest(String clause, Supplier<ByteBuf> block) {
        return sees(
                clause,
                "400, no dial",
                tunnel -> tunnel.send(headers(1, block.get())).refusedWith400(1));
    }

    private static ConformanceCase contentLength(String clause, String... data) {
        return sees(clause, "400, no dial", tunnel -> {
            tunnel.send(headers(1, connect("content-length", "1")));
            for (int i = 0; i < data.length; i++) {
                tunnel.send(WireFrames.data(1, i + 1 < data.length ? 0 : END_STREAM, data[i]));
            }
            tunnel.refusedWith400(1);
        });
    }

    private static Stream<ConformanceCase> resetAndSettings() {
        return Stream.of(
                dies("6.4: RST_STREAM on stream 0", PROTOCOL_ERROR, () -> all(resetStream(0, CANCEL.code()))),
                dies("6.4: RST_STREAM on an idle stream", PROTOCOL_ERROR, () -> all(resetStream(1, CANCEL.code()))),
                dies(
                        "6.4: RST_STREAM of 3 bytes",
                        FRAME_SIZE_ERROR,
                        () -> all(connected(), frame(RST_STREAM, 0, 1, hex("000000")))),
                dies("6.5: SETTINGS ACK with content", FRAME_SIZE_ERROR, () -> all(frame(SETTINGS, ACK, 0, hex("00")))),
                dies(
                        "6.5: SETTINGS on stream 1",
                        PROTOCOL_ERROR,
                        () -> all(frame(SETTINGS, 0, 1, hex("0003 00000064")))),
                dies("6.5: SETTINGS of 3 bytes", FRAME_SIZE_ERROR, () -> all(frame(SETTINGS, 0, 0, hex("000300")))),
                dies("6.5.2: ENABLE_PUSH of 2", PROTOCOL_ERROR, () -> all(settings(ENABLE_PUSH, 2))),
                dies(
                        "6.5.2: INITIAL_WINDOW_SIZE of 2^31",
                        FLOW_CONTROL_ERROR,
                        () -> all(settings(INITIAL_WINDOW_SIZE, 0x80000000))),
                dies("6.5.2: MAX_FRAME_SIZE below 2^14", PROTOCOL_ERROR, () -> all(settings(MAX_FRAME_SIZE, 16_383))),
                dies("6.5.2: MAX_FRAME_SIZE of 2^24", PROTOCOL_ERROR, () -> all(settings(MAX_FRAME_SIZE, 1 << 24))),
                sees(
                        "6.5.2: unknown identifier",
                        "ignored",
                        tunnel -> tunnel.send(settings(0xff, 1)).ignored()),
                sees(
                                "6.5.3: INITIAL_WINDOW_SIZE twice in one frame",
                                "the last one counts",
                                tunnel -> tunnel.send(
                                                settings(INITIAL_WINDOW_SIZE, 100, INITIAL_WINDOW_SIZE, 1), connected())
                                        .seenLast("DATA 1 G"))
                        .behind(Application.GREETING),
                sees(
                        "6.5.3: SETTINGS",
                        "ACK",
                        tunnel -> tunnel.send(settings(ENABLE_PUSH, 0)).seenLast("SETTINGS ACK")));
    }

    private static Stream<ConformanceCase> control() {
        return Stream.of(
                sees(
                        "6.7: PING",
                        "answered with the same bytes",
                        tunnel ->
                                tunnel.send(frame(PING, 0, 0, text("12345678"))).seenLast("PONG 3132333435363738")),
                sees("6.7: PING with ACK", "not answered", tunnel -> {
                    tunnel.send(frame(PING, ACK, 0, text("12345678"))).ignored();
                    assertThat(tunnel.peer.seen).doesNotContain("PONG 3132333435363738");
                }),
                dies("6.7: PING on stream 1", PROTOCOL_ERROR, () -> all(frame(PING, 0, 1, text("12345678")))),
                dies("6.7: PING of 6 bytes", FRAME_SIZE_ERROR, () -> all(frame(PING, 0, 0, text("123456")))),
                dies("6.8: GOAWAY on stream 1", PROTOCOL_ERROR, () -> all(frame(GOAWAY, 0, 1, ints(0, 0)))));
    }
}
