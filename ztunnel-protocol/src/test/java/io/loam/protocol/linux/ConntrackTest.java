package io.loam.protocol.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// The messages of linux/netfilter/nfnetlink_conntrack.h, byte by byte; `ConntrackNetnsIT` asks a kernel.
class ConntrackTest {
    /// Head of an answer up to its attributes: length, IPCTNL_MSG_CT_NEW, flags, sequence, port; AF_INET.
    private static final String HEAD = "00000000" + "0001" + "0000" + "07000000" + "00000000" + "02000000";

    /// 10.9.9.1:50680 to 8.8.8.8:53, UDP.
    private static final String ORIGINAL = "34000180" + "14000180" + "08000100" + "0a090901" + "08000200" + "08080808"
            + "1c000280" + "0500010011000000" + "06000200c5f80000" + "0600030000350000";

    @Test
    void asksForTheFlowWhoseRepliesComeFromHere() {
        var out = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);

        Conntrack.write(out, 7, at("10.9.9.1", 50680), at("127.0.0.1", 15053));

        assertThat(HexFormat.of().formatHex(out.array(), 0, out.position()))
                .isEqualTo("48000000" + "0101" + "0100" + "07000000" + "00000000" + "02000000" //
                        + "34000280" // the tuple of replies
                        + "14000180" + "080001007f000001" + "080002000a090901" //
                        + "1c000280" + "0500010011000000" + "060002003acd0000" + "06000300c5f80000");
    }

    @Test
    void asksForIpv6InItsOwnAttributes() {
        var out = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);

        Conntrack.write(out, 7, at("fd00::1", 50680), at("::1", 15053));

        assertThat(out.get(16)).isEqualTo((byte) 10);
        assertThat(HexFormat.of().formatHex(out.array(), 28, 48))
                .isEqualTo("14000300" + "00000000000000000000000000000001");
    }

    @Test
    void readsWhereTheFlowWasSentTo() throws IOException {
        assertThat(Conntrack.read(message(HEAD + ORIGINAL))).contains(at("8.8.8.8", 53));
    }

    @Test
    void readsPastAttributesThatItDoesNotKnow() throws IOException {
        assertThat(Conntrack.read(message(HEAD + "0800070000000001" + "05000c00ff000000" + ORIGINAL)))
                .contains(at("8.8.8.8", 53));
    }

    @Test
    void anUnknownFlowIsEmpty() throws IOException {
        assertThat(Conntrack.read(message("24000000" + "0200" + "0000" + "07000000" + "00000000" + "feffffff")))
                .isEmpty();
    }

    @Test
    void otherErrorsOfTheKernelAreErrors() {
        assertThatThrownBy(() ->
                        Conntrack.read(message("24000000" + "0200" + "0000" + "07000000" + "00000000" + "ffffffff")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("errno 1");
    }

    /// Whatever is cut off or overwritten: an answer or an IOException.
    @Test
    void brokenAnswersAreErrorsAndNotMore() {
        byte[] whole = HexFormat.of().parseHex(HEAD + ORIGINAL);
        var random = new Random(5);
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = Arrays.copyOf(whole, 20 + random.nextInt(whole.length - 19));
            bytes[20 + random.nextInt(Math.max(1, bytes.length - 20)) - (bytes.length == 20 ? 1 : 0)] =
                    (byte) random.nextInt();
            try {
                assertThat(Conntrack.read(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)))
                        .isPresent();
            } catch (IOException e) {
                assertThat(e).hasMessageStartingWith("conntrack: ");
            }
        }
    }

    private static ByteBuffer message(String hex) {
        return ByteBuffer.wrap(HexFormat.of().parseHex(hex)).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static InetSocketAddress at(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }
}
