package io.loam.protocol.hbone;

import static io.loam.protocol.hbone.ConformanceCase.sent;
import static io.loam.protocol.hbone.WireFrames.CONTINUATION;
import static io.loam.protocol.hbone.WireFrames.DATA;
import static io.loam.protocol.hbone.WireFrames.ENABLE_PUSH;
import static io.loam.protocol.hbone.WireFrames.END_HEADERS;
import static io.loam.protocol.hbone.WireFrames.END_STREAM;
import static io.loam.protocol.hbone.WireFrames.GOAWAY;
import static io.loam.protocol.hbone.WireFrames.HEADERS;
import static io.loam.protocol.hbone.WireFrames.INITIAL_WINDOW_SIZE;
import static io.loam.protocol.hbone.WireFrames.PADDED;
import static io.loam.protocol.hbone.WireFrames.WITH_PRIORITY;
import static io.loam.protocol.hbone.WireFrames.ballast;
import static io.loam.protocol.hbone.WireFrames.block;
import static io.loam.protocol.hbone.WireFrames.connect;
import static io.loam.protocol.hbone.WireFrames.continuation;
import static io.loam.protocol.hbone.WireFrames.data;
import static io.loam.protocol.hbone.WireFrames.frame;
import static io.loam.protocol.hbone.WireFrames.headers;
import static io.loam.protocol.hbone.WireFrames.hex;
import static io.loam.protocol.hbone.WireFrames.ints;
import static io.loam.protocol.hbone.WireFrames.join;
import static io.loam.protocol.hbone.WireFrames.ping;
import static io.loam.protocol.hbone.WireFrames.prioritized;
import static io.loam.protocol.hbone.WireFrames.priority;
import static io.loam.protocol.hbone.WireFrames.resetStream;
import static io.loam.protocol.hbone.WireFrames.settings;
import static io.loam.protocol.hbone.WireFrames.text;
import static io.loam.protocol.hbone.WireFrames.windowUpdate;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.protocol.hbone.TunnelUnderTest.Application;
import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import java.util.stream.Stream;

/// What a good client may send and a server has to take: 44 cases.
final class WellFormedCases {
    private static final long CANCEL = Http2Error.CANCEL.code();
    private static final int EXCLUSIVE = 0x80000000;

    private WellFormedCases() {}

    static Stream<ConformanceCase> all() {
        return Stream.of(streams(), frames(), requests(), fields()).flatMap(cases -> cases);
    }

    private static Stream<ConformanceCase> streams() {
        return Stream.of(
                sent("RFC 9113, 3.4: preface and SETTINGS", "SETTINGS and their ACK", tunnel -> {
                    assertThat(tunnel.peer.seen).contains("SETTINGS ACK");
                    tunnel.alive();
                }),
                sent(
                        "RFC 9113, 5.1: PRIORITY on an idle stream",
                        "ignored",
                        tunnel -> tunnel.send(priority(1, 0, 256)).ignored()),
                sent(
                                "RFC 9113, 5.1: WINDOW_UPDATE on a half-closed stream",
                                "DATA of one byte",
                                tunnel -> tunnel.send(
                                                settings(INITIAL_WINDOW_SIZE, 0),
                                                frame(HEADERS, END_HEADERS | END_STREAM, 1, connect()),
                                                windowUpdate(1, 1))
                                        .seenLast("DATA 1 G"))
                        .behind(Application.GREETING),
                sent(
                                "RFC 9113, 5.1: PRIORITY on a half-closed stream",
                                "DATA when the window opens",
                                tunnel -> tunnel.send(
                                                settings(INITIAL_WINDOW_SIZE, 0),
                                                frame(HEADERS, END_HEADERS | END_STREAM, 1, connect()),
                                                priority(1, 0, 256),
                                                windowUpdate(1, 1))
                                        .seenLast("DATA 1 G"))
                        .behind(Application.GREETING),
                sent("RFC 9113, 5.1: RST_STREAM on a half-closed stream", "the application hears of it", tunnel -> {
                    tunnel.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, connect()), resetStream(1, CANCEL))
                            .ignored();
                    assertThat(tunnel.heard).containsExactly("END", "RESET CANCEL");
                }),
                sent("RFC 9113, 5.1: PRIORITY on a closed stream", "ignored", tunnel -> {
                            tunnel.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, connect()));
                            assertThat(tunnel.peer.seen).endsWith("DATA 1  END");
                            tunnel.send(priority(1, 0, 256)).ignored();
                        })
                        .behind(Application.POLITE));
    }

    private static Stream<ConformanceCase> frames() {
        return Stream.of(
                sent("RFC 9113, 6.1: DATA", "delivered", tunnel -> {
                    tunnel.send(headers(1, connect()), data(1, END_STREAM, "test"));
                    assertThat(tunnel.heard).containsExactly("test", "END");
                    tunnel.served(1);
                }),
                sent("RFC 9113, 6.1: DATA twice", "delivered in order", tunnel -> {
                    tunnel.send(headers(1, connect()), data(1, 0, "one"), data(1, END_STREAM, "two"));
                    assertThat(tunnel.heard).containsExactly("one", "two", "END");
                    tunnel.served(1);
                }),
                sent("RFC 9113, 6.1: DATA with padding", "delivered without it", tunnel -> {
                    var padded = join(hex("05"), text("test"), text("\0\0\0\0\0"));
                    tunnel.send(headers(1, connect()), frame(DATA, PADDED | END_STREAM, 1, padded));
                    assertThat(tunnel.heard).containsExactly("test", "END");
                    tunnel.served(1);
                }),
                sent(
                        "RFC 9113, 6.2: HEADERS",
                        "200",
                        tunnel -> tunnel.send(headers(1, connect())).served(1)),
                sent("RFC 9113, 6.2: HEADERS with padding", "200", tunnel -> {
                    var padded = join(hex("05"), connect(), text("\0\0\0\0\0"));
                    tunnel.send(frame(HEADERS, PADDED | END_HEADERS, 1, padded)).served(1);
                }),
                sent(
                        "RFC 9113, 6.2: HEADERS with priority",
                        "200",
                        tunnel -> tunnel.send(frame(
                                        HEADERS,
                                        WITH_PRIORITY | END_HEADERS,
                                        1,
                                        join(prioritized(EXCLUSIVE, 256), connect())))
                                .served(1)),
                sent(
                        "RFC 9113, 6.3: PRIORITY of weight 1",
                        "200",
                        tunnel -> tunnel.send(priority(1, 0, 1), headers(1, connect()))
                                .served(1)),
                sent(
                        "RFC 9113, 6.3: PRIORITY of weight 256",
                        "200",
                        tunnel -> tunnel.send(priority(1, 0, 256), headers(1, connect()))
                                .served(1)),
                sent(
                        "RFC 9113, 6.3: PRIORITY with a dependency",
                        "200",
                        tunnel -> tunnel.send(priority(1, 0, 256), priority(3, 1, 256), headers(1, connect()))
                                .served(1)),
                sent(
                        "RFC 9113, 6.3: PRIORITY, exclusive",
                        "200",
                        tunnel -> tunnel.send(priority(1, EXCLUSIVE, 256), headers(1, connect()))
                                .served(1)),
                sent(
                        "RFC 9113, 6.3: PRIORITY on stream 5, then HEADERS on 3",
                        "200",
                        tunnel -> tunnel.send(priority(5, 0, 256), headers(3, connect()))
                                .served(3)),
                sent("RFC 9113, 6.4: RST_STREAM", "the application hears of it", tunnel -> {
                    tunnel.send(headers(1, connect()), resetStream(1, CANCEL)).ignored();
                    assertThat(tunnel.heard).containsExactly("RESET CANCEL");
                }),
                sent(
                        "RFC 9113, 6.5: SETTINGS",
                        "ACK",
                        tunnel -> tunnel.send(settings(ENABLE_PUSH, 0)).seenLast("SETTINGS ACK")),
                sent(
                        "RFC 9113, 6.7: PING",
                        "answered with the same bytes",
                        tunnel -> tunnel.send(ping(0x6832_7370_6563L)).seenLast("PONG 683273706563")),
                sent("RFC 9113, 6.8: GOAWAY", "open streams and PING go on", tunnel -> {
                    tunnel.send(headers(1, connect()), frame(GOAWAY, 0, 0, ints(0, 0)), data(1, 0, "test"), ping(7));
                    assertThat(tunnel.heard).containsExactly("test");
                    assertThat(tunnel.peer.seen).endsWith("PONG 7");
                }),
                sent(
                        "RFC 9113, 6.9: WINDOW_UPDATE of the connection",
                        "200",
                        tunnel -> tunnel.send(windowUpdate(0, 1), headers(1, connect()))
                                .served(1)),
                sent(
                        "RFC 9113, 6.9: WINDOW_UPDATE of a stream",
                        "200",
                        tunnel -> tunnel.send(headers(1, connect()), windowUpdate(1, 1))
                                .served(1)),
                sent(
                        "RFC 9113, 6.10: one CONTINUATION",
                        "200",
                        tunnel -> tunnel.send(frame(HEADERS, 0, 1, connect()), continuation(1, END_HEADERS, ballast()))
                                .served(1)),
                sent(
                        "RFC 9113, 6.10: several CONTINUATIONs",
                        "200",
                        tunnel -> tunnel.send(
                                        frame(HEADERS, 0, 1, connect()),
                                        continuation(1, 0, ballast()),
                                        continuation(1, 0, ballast()),
                                        frame(CONTINUATION, END_HEADERS, 1, ballast()))
                                .served(1)));
    }

    /// What other servers answer with content, this one answers: it is none of them.
    private static Stream<ConformanceCase> requests() {
        return Stream.of(
                sent(
                        "RFC 9113, 8.1: GET",
                        "400, no dial",
                        tunnel -> tunnel.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, request("GET")))
                                .refusedWith400(1)),
                sent(
                        "RFC 9113, 8.1: HEAD",
                        "400, no dial",
                        tunnel -> tunnel.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, request("HEAD")))
                                .refusedWith400(1)),
                sent(
                        "RFC 9113, 8.1: POST with content",
                        "400, no dial",
                        tunnel -> tunnel.send(headers(1, request("POST")), data(1, END_STREAM, "test"))
                                .refusedWith400(1)),
                sent(
                        "RFC 9113, 8.1: POST with content and trailers",
                        "400, no dial",
                        tunnel -> tunnel.send(
                                        headers(1, request("POST")),
                                        data(1, 0, "test"),
                                        frame(HEADERS, END_HEADERS | END_STREAM, 1, block("x-test", "ok")))
                                .refusedWith400(1)));
    }

    static ByteBuf request(String method, String... more) {
        return join(
                block(":method", method, ":scheme", "https", ":path", "/", ":authority", "10.0.0.7:8080"), block(more));
    }

    /// RFC 7541, 6: each representation of a field behind the two of a CONNECT. Name index 58 is `user-agent`; the
    /// Huffman-coded texts are those of the RFC's appendix C.4.
    private static Stream<ConformanceCase> fields() {
        var customKey = "0a 637573746f6d2d6b6579";
        var huffmanKey = "88 25a849e95ba97d7f";
        var value = "0c 637573746f6d2d76616c7565";
        var huffmanValue = "89 25a849e95bb8e8b4bf";
        return Stream.of(
                field("6.1: indexed field", "40" + customKey + value + "be"),
                field("6.2.1: indexing, indexed name", "7a" + value),
                field("6.2.1: indexing, indexed name, Huffman", "7a" + huffmanValue),
                field("6.2.1: indexing, new name", "40" + customKey + value),
                field("6.2.1: indexing, new name, Huffman", "40" + huffmanKey + huffmanValue),
                field("6.2.2: without indexing, indexed name", "0f2b" + value),
                field("6.2.2: without indexing, indexed name, Huffman", "0f2b" + huffmanValue),
                field("6.2.2: without indexing, new name", "00" + customKey + value),
                field("6.2.2: without indexing, new name, Huffman", "00" + huffmanKey + huffmanValue),
                field("6.2.3: never indexed, indexed name", "1f2b" + value),
                field("6.2.3: never indexed, indexed name, Huffman", "1f2b" + huffmanValue),
                field("6.2.3: never indexed, new name", "10" + customKey + value),
                field("6.2.3: never indexed, new name, Huffman", "10" + huffmanKey + huffmanValue),
                sent(
                        "RFC 7541, 6.3: table size update",
                        "200",
                        tunnel -> tunnel.send(headers(1, join(hex("3f61"), connect())))
                                .served(1)),
                sent(
                        "RFC 7541, 6.3: two table size updates",
                        "200",
                        tunnel -> tunnel.send(headers(1, join(hex("3f61 3fe11f"), connect())))
                                .served(1)));
    }

    private static ConformanceCase field(String clause, String representation) {
        return sent(
                "RFC 7541, " + clause,
                "200",
                tunnel -> tunnel.send(headers(1, join(connect(), hex(representation))))
                        .served(1));
    }
}
