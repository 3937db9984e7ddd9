package io.loam.lab.capture;

import static io.loam.lab.capture.PcapBytes.ACK;
import static io.loam.lab.capture.PcapBytes.CLIENT;
import static io.loam.lab.capture.PcapBytes.SERVER;
import static io.loam.lab.capture.PcapBytes.SYN;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CaptureTest {
    private static final byte[] NOTHING = {};

    private static PcapBytes recording() {
        return new PcapBytes(ByteOrder.LITTLE_ENDIAN);
    }

    @ParameterizedTest
    @ValueSource(strings = {"LITTLE_ENDIAN", "BIG_ENDIAN"})
    void readsBothByteOrders(String order) throws IOException {
        var pcap = new PcapBytes("BIG_ENDIAN".equals(order) ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN)
                .tcp(CLIENT, SERVER, 1, "GET /");

        assertThat(Capture.of(pcap.bytes()).containsPlaintext("GET /")).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"10.0.0.1, 10.0.0.2", "fd00::1, fd00::2"})
    void tellsWhoOpenedAFlowAndWhatEachSideSent(String one, String other) throws IOException {
        var client = new InetSocketAddress(one, 40000);
        var server = new InetSocketAddress(other, 80);
        var capture = Capture.of(recording()
                .tcp(client, server, 100, SYN, NOTHING)
                .tcp(server, client, 500, SYN | ACK, NOTHING)
                .tcp(client, server, 101, ACK, NOTHING)
                .tcp(client, server, 101, "ping")
                .tcp(server, client, 501, "pong!")
                .bytes());

        assertThat(capture.flows()).hasSize(1);
        var flow = capture.flows().getFirst();
        assertThat(flow.client()).isEqualTo(client);
        assertThat(flow.server()).isEqualTo(server);
        assertThat(flow.toServer().beginning()).asString().isEqualTo("ping");
        assertThat(flow.toClient().beginning()).asString().isEqualTo("pong!");
        assertThat(capture.flowsTo(80)).containsExactly(flow);
        assertThat(capture.flowsTo(81)).isEmpty();
    }

    /// The recording began after the SYN: the SYN-ACK still tells who is who.
    @Test
    void tellsTheServerByItsSynAck() throws IOException {
        var capture = Capture.of(recording()
                .tcp(SERVER, CLIENT, 500, SYN | ACK, NOTHING)
                .tcp(CLIENT, SERVER, 101, "ping")
                .bytes());

        assertThat(capture.flows().getFirst().server()).isEqualTo(SERVER);
    }

    @Test
    void findsAMarkerCutApartOutOfOrderAndSentTwice() throws IOException {
        var capture = Capture.of(recording()
                .tcp(CLIENT, SERVER, 100, "the se")
                .tcp(CLIENT, SERVER, 112, "ord is open")
                .tcp(CLIENT, SERVER, 106, "cret w")
                .tcp(CLIENT, SERVER, 104, "secret w")
                .bytes());

        assertThat(capture.containsPlaintext("the secret word is open")).isTrue();
        assertThat(capture.flows().getFirst().toServer().length()).isEqualTo(23);
    }

    @Test
    void putsAFlowTogetherOverTheWrapOfSequenceNumbers() throws IOException {
        var capture = Capture.of(recording()
                .tcp(CLIENT, SERVER, -3, "abc")
                .tcp(CLIENT, SERVER, 0, "def")
                .bytes());

        assertThat(capture.flows().getFirst().toServer().beginning()).asString().isEqualTo("abcdef");
    }

    @Test
    void doesNotJoinWhatAHoleSeparates() throws IOException {
        var capture = Capture.of(recording()
                .tcp(CLIENT, SERVER, 100, "sec")
                .tcp(CLIENT, SERVER, 104, "ret")
                .bytes());

        assertThat(capture.containsPlaintext("secret")).isFalse();
        assertThat(capture.flows().getFirst().toServer().pieces()).hasSize(2);
    }

    @Test
    void doesNotJoinTheDirectionsOfAFlow() throws IOException {
        var capture = Capture.of(recording()
                .tcp(CLIENT, SERVER, 100, "sec")
                .tcp(SERVER, CLIENT, 103, "ret")
                .bytes());

        assertThat(capture.containsPlaintext("secret")).isFalse();
    }

    @Test
    void findsAMarkerInPacketsThatAreNotTcp() throws IOException {
        var capture = Capture.of(recording()
                .frame("not even Ethernet".getBytes(StandardCharsets.UTF_8))
                .bytes());

        assertThat(capture.containsPlaintext("even")).isTrue();
        assertThat(capture.flows()).isEmpty();
    }

    /// The header says TLS 1.2 and the extension 1.3, as RFC 8446, 4.1.3 wants it.
    @Test
    void namesVersionCipherAndKeyExchangeOfTls13() throws IOException {
        var hello = serverHello("1302", "00330006" + "11ec" + "0002abcd" + "002b0002" + "0304");
        var capture = Capture.of(recording()
                .tcp(SERVER, CLIENT, 500, SYN | ACK, NOTHING)
                .tcp(SERVER, CLIENT, 501, ACK, hello)
                .bytes());

        assertThat(capture.flows().getFirst().tls())
                .hasValue(new TlsServerHello("TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519MLKEM768"));
    }

    @Test
    void namesTls12WithoutTheExtension() throws IOException {
        var capture = Capture.of(recording()
                .tcp(SERVER, CLIENT, 500, SYN | ACK, NOTHING)
                .tcp(SERVER, CLIENT, 501, ACK, serverHello("c02f", ""))
                .bytes());

        assertThat(capture.flows().getFirst().tls()).hasValue(new TlsServerHello("TLSv1.2", "0xc02f", ""));
    }

    @Test
    void doesNotTakePlaintextForTls() throws IOException {
        var capture = Capture.of(recording()
                .tcp(SERVER, CLIENT, 500, SYN | ACK, NOTHING)
                .tcp(SERVER, CLIENT, 501, "HTTP/1.1 200 OK")
                .bytes());

        assertThat(capture.flows().getFirst().tls()).isEmpty();
    }

    @Test
    void refusesWhatIsNotARecording() {
        assertThatThrownBy(() -> Capture.of("GIF89a, certainly not a recording".getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("magic number");
    }

    private static byte[] serverHello(String cipherSuite, String extension) {
        var extensions = extension.isEmpty() ? "" : "%04x".formatted(extension.length() / 2) + extension;
        var body = "0303" + "aa".repeat(32) + "20" + "bb".repeat(32) + cipherSuite + "00" + extensions;
        var message = "02" + "%06x".formatted(body.length() / 2) + body;
        return HexFormat.of().parseHex("160303" + "%04x".formatted(message.length() / 2) + message);
    }
}
