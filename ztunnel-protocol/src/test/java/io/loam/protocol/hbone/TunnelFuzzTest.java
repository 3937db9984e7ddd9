package io.loam.protocol.hbone;

import static io.loam.protocol.hbone.WireFrames.headers;
import static io.loam.protocol.hbone.WireFrames.settings;
import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.loam.protocol.hbone.TunnelUnderTest.Application;
import io.netty.buffer.Unpooled;

/// Any bytes on a tunnel: it goes on or ends with GOAWAY, what it answers is HTTP/2, and nothing is thrown. Each build
/// runs what lies in the resources beside this class; CONTRIBUTING says how to look for more.
class TunnelFuzzTest {
    /// Frames, behind preface and SETTINGS; the first byte says where two reads meet.
    @FuzzTest(maxDuration = "10m")
    void frames(byte[] input) {
        int border = input.length == 0 ? 0 : (input[0] & 0xff) % input.length;
        try (var tunnel = TunnelUnderTest.with(Application.ECHO)) {
            tunnel.send(
                    Unpooled.copiedBuffer(input, 0, border),
                    Unpooled.copiedBuffer(input, border, input.length - border));
            if (!tunnel.peer.tunnel.isOpen()) {
                assertThat(tunnel.peer.seen.getLast()).startsWith("GOAWAY ");
            }
            tunnel.peer.tunnel.checkException();
        }
    }

    /// The very first bytes.
    @FuzzTest(maxDuration = "10m")
    void beginnings(byte[] input) {
        try (var tunnel = TunnelUnderTest.beforePreface()) {
            tunnel.send(Unpooled.copiedBuffer(input));
            tunnel.peer.tunnel.checkException();
        }
    }

    /// A header block (HPACK and the fields of a CONNECT): dialled is what has an authority, once.
    @FuzzTest(maxDuration = "10m")
    void headerBlocks(byte[] input) {
        try (var tunnel = TunnelUnderTest.with(Application.SILENT)) {
            if (input.length > 1 << 16) {
                return; // a frame holds no more
            }
            tunnel.send(headers(1, Unpooled.copiedBuffer(input)), settings());
            assertThat(tunnel.dialled).hasSizeLessThanOrEqualTo(1);
            for (var request : tunnel.dialled) {
                assertThat(request.authority()).isNotEmpty().doesNotContain("\r", "\n", "\0");
            }
            tunnel.peer.tunnel.checkException();
        }
    }
}
