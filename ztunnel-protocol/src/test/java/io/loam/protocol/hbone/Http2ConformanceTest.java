package io.loam.protocol.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The tunnel server as a peer of RFC 9113 and RFC 7541, case by case what the tool h2spec looks at, with CONNECT for
/// its requests (hazard T14). It differs from that tool where a tunnel has to:
///
/// - GET, HEAD and POST are answered 400: this server serves CONNECT only.
/// - Requests without `:method`, `:scheme` or `:path` are answered 400, where the tool wants a reset: RFC 9113, 8.1.1,
///   allows an answer first, and a status is what a log at the other end can show.
/// - `content-length` on a CONNECT is refused at once, whatever DATA follows (RFC 9110, 9.3.6: no content).
/// - HEADERS on a half-closed stream break two rules at once, and the codec names the other one: PROTOCOL_ERROR (8.1,
///   too many of them) for STREAM_CLOSED (5.1). The stream is reset either way.
/// - HEADERS on a closed stream are a stream error: what RFC 7540 demanded for the connection, RFC 9113, 5.1, allows.
/// - HEADERS on a stream that was passed over are taken for the same. RFC 9113, 5.1.1, calls such a stream closed and
///   in the same section asks for PROTOCOL_ERROR; to tell the two apart a server has to keep every identifier that was
///   skipped, which a peer can make as many as it likes. Nothing is dialled, and 200 of them end the tunnel (T3).
class Http2ConformanceTest {
    @Test
    void holdsAll147Cases() {
        long cases = WellFormedCases.all().count()
                + FramingCases.all().count()
                + HeaderCompressionCases.all().count();
        System.out.println("hazard T14: " + cases + " conformance cases, each a test of this class");
        assertThat(WellFormedCases.all()).hasSize(44);
        assertThat(FramingCases.all()).hasSize(95);
        assertThat(HeaderCompressionCases.all()).hasSize(8);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("io.loam.protocol.hbone.WellFormedCases#all")
    void takesWhatIsAllowed(ConformanceCase sent) {
        sent.run();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("io.loam.protocol.hbone.FramingCases#all")
    void refusesFramesThatAreWrong(ConformanceCase sent) {
        sent.run();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("io.loam.protocol.hbone.HeaderCompressionCases#all")
    void refusesHeaderBlocksThatAreWrong(ConformanceCase sent) {
        sent.run();
    }
}
