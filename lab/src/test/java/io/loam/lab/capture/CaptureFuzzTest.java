package io.loam.lab.capture;

import static io.loam.lab.capture.PcapBytes.ACK;
import static io.loam.lab.capture.PcapBytes.CLIENT;
import static io.loam.lab.capture.PcapBytes.SERVER;
import static io.loam.lab.capture.PcapBytes.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// What comes from the link is anybody's bytes: cut or changed anywhere, reading ends in a value or an `IOException`.
final class CaptureFuzzTest {
    private static final byte[] SERVER_HELLO = HexFormat.of()
            .parseHex("160303003e" + "0200003a" + "0303" + "aa".repeat(32) + "00" + "1301" + "00" + "0010"
                    + "0033000800aa00040bad" + "cafe" + "002b00020304");

    private static byte[] sample() {
        var client6 = new InetSocketAddress("fd00::1", 1);
        var server6 = new InetSocketAddress("fd00::2", 2);
        return new PcapBytes(ByteOrder.LITTLE_ENDIAN)
                .tcp(CLIENT, SERVER, 100, SYN, new byte[0])
                .tcp(SERVER, CLIENT, 500, SYN | ACK, new byte[0])
                .tcp(SERVER, CLIENT, 501, ACK, SERVER_HELLO)
                .tcp(server6, client6, 501, ACK, SERVER_HELLO)
                .bytes();
    }

    private static void read(byte[] bytes) {
        try {
            var capture = Capture.of(bytes);
            capture.flows().forEach(TcpFlow::tls);
            capture.containsPlaintext("secret");
        } catch (IOException e) {
            assertThat(e).hasMessageStartingWith("pcap");
        }
    }

    @Test
    void survivesAnEndAtEveryByte() {
        var sample = sample();
        for (var length = 0; length < sample.length; length++) {
            read(Arrays.copyOf(sample, length));
        }
    }

    @Test
    void survivesFramesCutByTheSnapLength() throws IOException {
        var frame = PcapBytes.ethernet(CLIENT, SERVER, 1, ACK, SERVER_HELLO);
        for (var length = 0; length < frame.length; length++) {
            var capture = Capture.of(new PcapBytes(ByteOrder.BIG_ENDIAN)
                    .frame(Arrays.copyOf(frame, length))
                    .bytes());
            assertThat(capture.frames()).hasSize(1);
            capture.flows().forEach(flow -> {
                flow.tls();
                TlsServerHello.parse(flow.toServer().beginning());
            });
        }
    }

    @Test
    void survivesChangedBytes() {
        var random = new Random(20261121);
        for (var round = 0; round < 20_000; round++) {
            var bytes = sample();
            for (var change = random.nextInt(1, 6); change > 0; change--) {
                bytes[random.nextInt(24, bytes.length)] = (byte) random.nextInt();
            }
            read(bytes);
        }
    }
}
