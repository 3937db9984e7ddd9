package io.loam.protocol.hbone;

import static io.loam.protocol.hbone.ConformanceCase.sent;
import static io.loam.protocol.hbone.WireFrames.connect;
import static io.loam.protocol.hbone.WireFrames.headers;
import static io.loam.protocol.hbone.WireFrames.hex;
import static io.loam.protocol.hbone.WireFrames.join;

import io.netty.handler.codec.http2.Http2Error;
import java.util.stream.Stream;

/// Header blocks that RFC 7541 forbids: 8 cases, each a connection error, since the two ends no longer agree about
/// their table. The Huffman-coded texts start as those of the RFC's appendix C.4.
final class HeaderCompressionCases {
    private HeaderCompressionCases() {}

    static Stream<ConformanceCase> all() {
        return Stream.of(
                behindConnect("2.3.3: indexed field beyond both tables", "be"),
                behindConnect("2.3.3: literal with a name beyond both tables", "7e 01 78"),
                behindConnect("4.2: table size update behind the fields", "21"),
                behindConnect(
                        "5.2: Huffman padding of more than 7 bits", "00 88 25a849e95ba97d7f 8a 25a849e95bb8e8b4bfff"),
                behindConnect("5.2: Huffman padding of zeros", "00 88 25a849e95ba97d7f 88 25a849e95ba97d00"),
                behindConnect("5.2: Huffman-coded EOS", "00 88 25a849e95ba97d7f 85 27ffffffe4"),
                behindConnect("6.1: indexed field 0", "80"),
                compressionError("6.3: table size update above our SETTINGS", "3fe21f", ""));
    }

    private static ConformanceCase behindConnect(String clause, String representation) {
        return compressionError(clause, "", representation);
    }

    private static ConformanceCase compressionError(String clause, String before, String behind) {
        return sent(
                "RFC 7541, " + clause,
                "connection error COMPRESSION_ERROR",
                tunnel -> tunnel.send(headers(1, join(hex(before), connect(), hex(behind))))
                        .connectionError(Http2Error.COMPRESSION_ERROR));
    }
}
