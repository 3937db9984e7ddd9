package io.loam.protocol.hbone;

import static io.loam.protocol.hbone.WireFrames.END_HEADERS;
import static io.loam.protocol.hbone.WireFrames.END_STREAM;
import static io.loam.protocol.hbone.WireFrames.HEADERS;
import static io.loam.protocol.hbone.WireFrames.block;
import static io.loam.protocol.hbone.WireFrames.connect;
import static io.loam.protocol.hbone.WireFrames.frame;
import static io.loam.protocol.hbone.WireFrames.join;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.protocol.hbone.TunnelUnderTest.Application;
import io.netty.buffer.ByteBuf;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Hazard T14: forty malformed CONNECT requests. Each ends in 400 or in a stream error, none is dialled, and the next
/// good one on the same tunnel is served.
class MalformedConnectTest {
    private static final String AUTHORITY = "10.0.0.7:8080";

    /// @param what goes into the test's name
    record Malformed(String what, Supplier<ByteBuf> block) {
        @Override
        public String toString() {
            return what;
        }
    }

    private static Malformed with(String what, String... fields) {
        return new Malformed("with " + what, () -> connect(fields));
    }

    private static Malformed plain(String what, String... fields) {
        return new Malformed(what, () -> block(fields));
    }

    static Stream<Malformed> requests() {
        var asked = Stream.of(
                with(":path", ":path", "/"),
                with(":scheme", ":scheme", "https"),
                with(":path and :scheme", ":scheme", "https", ":path", "/"),
                with(":protocol (RFC 8441)", ":protocol", "websocket"),
                with("a second :authority", ":authority", "10.0.0.8:8080"),
                with("the same :authority again", ":authority", AUTHORITY),
                with("a second :method", ":method", "GET"),
                with(":status", ":status", "200"),
                with("an unknown pseudo-header field", ":target", AUTHORITY),
                with("an empty name", "", "x"),
                with("the name ':'", ":", "x"),
                plain("without :authority", ":method", "CONNECT"),
                plain("with an empty :authority", ":method", "CONNECT", ":authority", ""),
                plain("with host for :authority", ":method", "CONNECT", "host", AUTHORITY),
                plain("without :method", ":authority", AUTHORITY),
                plain("with an empty :method", ":method", "", ":authority", AUTHORITY),
                plain("with no field at all"),
                plain("with :authority behind a field", ":method", "CONNECT", "x", "y", ":authority", AUTHORITY),
                plain("with :method behind a field", ":authority", AUTHORITY, "x", "y", ":method", "CONNECT"),
                plain("as connect", ":method", "connect", ":authority", AUTHORITY),
                plain("as CONNECT with a blank", ":method", "CONNECT ", ":authority", AUTHORITY),
                plain("as CONNECT with NUL", ":method", "CONNECT\0", ":authority", AUTHORITY),
                plain("as OPTIONS", ":method", "OPTIONS", ":authority", AUTHORITY),
                plain("as PUT", ":method", "PUT", ":scheme", "https", ":path", "/", ":authority", AUTHORITY));
        var fields = Stream.of(
                with("connection", "connection", "close"),
                with("keep-alive", "keep-alive", "timeout=5"),
                with("proxy-connection", "proxy-connection", "keep-alive"),
                with("transfer-encoding", "transfer-encoding", "chunked"),
                with("upgrade", "upgrade", "h2c"),
                with("te: gzip", "te", "gzip"),
                with("content-length", "content-length", "4"),
                with("content-length: 0", "content-length", "0"),
                with("a name in upper case", "Baggage", "k=v"),
                with("a blank in a name", "for warded", "x"),
                with("a colon in a name", "forwarded:x", "x"),
                with("NUL in a name", "forw\0arded", "x"),
                with("a name that is not ASCII", "f\u00f6rwarded", "x"),
                with("NUL in a value", "forwarded", "for=\0"),
                with("CR LF in a value", "forwarded", "for=x\r\nx-evil: y"),
                with("LF in a value", "baggage", "k=v\nx"));
        return Stream.concat(asked, fields);
    }

    @ParameterizedTest(name = "CONNECT {0}")
    @MethodSource("requests")
    void isRefusedAndNeverDialled(Malformed request) {
        for (int flags : List.of(END_HEADERS, END_HEADERS | END_STREAM)) {
            try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
                tunnel.send(frame(HEADERS, flags, 1, request.block().get()));

                assertThat(tunnel.dialled).isEmpty();
                assertThat(tunnel.peer.seen).containsAnyOf("HEADERS 1 400 END", "RST 1 PROTOCOL_ERROR");
                tunnel.send(frame(HEADERS, END_HEADERS, 3, connect())).served(3);
            }
        }
    }

    @Test
    void holdsForty() {
        assertThat(requests()).hasSize(40);
    }

    /// The forty go on one tunnel, with good ones between: what is refused does not disturb its neighbours.
    @Test
    void disturbsNoNeighbour() {
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            int id = 1;
            for (var request : requests().toList()) {
                tunnel.send(frame(HEADERS, END_HEADERS, id, join(request.block().get())));
                tunnel.send(frame(HEADERS, END_HEADERS, id + 2, connect())).served(id + 2);
                id += 4;
            }
            System.out.printf(
                    "hazard T14: %d malformed CONNECTs on one tunnel, %d good ones between them dialled%n",
                    requests().count(), tunnel.dialled.size());
            assertThat(tunnel.dialled).hasSize(40);
        }
    }
}
