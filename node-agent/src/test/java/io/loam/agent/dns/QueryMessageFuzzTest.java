package io.loam.agent.dns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.Unpooled;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// RFC 1035, 4.1 and RFC 6891, byte by byte.
class QueryMessageFuzzTest {
    /// id 7, recursion desired, one question.
    private static final String HEAD = "0007" + "0100" + "0001" + "0000" + "0000" + "0000";

    private static final String WITH_RECORD = "0007" + "0100" + "0001" + "0000" + "0000" + "0001";
    private static final String WEB_SHOP_A = "0357654204" + "53686f70" + "00" + "0001" + "0001";
    private static final String OPT_1232_DO = "00" + "0029" + "04d0" + "00" + "00" + "8000" + "0000";

    @Test
    void readsTheQuestion() throws MalformedQueryException {
        var query = read(HEAD + WEB_SHOP_A);

        assertThat(query).isEqualTo(new QueryMessage(7, 0x0100, "web.shop", 1, 1, 26, false, 0, false, 512, 0));
    }

    @Test
    void readsWhatTheClientTakes() throws MalformedQueryException {
        var query = read(WITH_RECORD + WEB_SHOP_A + OPT_1232_DO);

        assertThat(query).isEqualTo(new QueryMessage(7, 0x0100, "web.shop", 1, 1, 26, true, 0, true, 1232, 29));
    }

    @Test
    void nobodyTakesLessThan512Bytes() throws MalformedQueryException {
        assertThat(read(WITH_RECORD + WEB_SHOP_A + OPT_1232_DO.replace("04d0", "0064"))
                        .payloadBytes())
                .isEqualTo(512);
    }

    @Test
    void readsFromTheMiddleOfABuffer() throws MalformedQueryException {
        var buffer = Unpooled.wrappedBuffer(HexFormat.of().parseHex("ffff" + HEAD + WEB_SHOP_A));
        buffer.skipBytes(2);

        assertThat(QueryMessage.read(buffer).questionEnd()).isEqualTo(26);
        assertThat(buffer.readerIndex()).isEqualTo(2);
    }

    @ParameterizedTest(name = "{1}")
    @CsvSource(delimiter = '|', textBlock = """
            0007010000010000000000                                           | 11 bytes (expected: at least 12)
            000701000000000000000000                                         | 0 questions (expected: 1)
            000701000002000000000000 035765420453686f700000010001             | 2 questions (expected: 1)
            000701000001000000000000                                         | the message ends inside a label
            000701000001000000000000 03576542                                 | the message ends inside a label
            000701000001000000000000 0357                                     | the message ends inside a label
            000701000001000000000000 00                                       | the message ends inside type and class of the question
            000701000001000000000000 c00c00010001                             | a label of 192 (expected: at most 63)
            000701000001000000000000 035765420453686f70000001000100           | 1 bytes after the last record
            000701000001000000000001 035765420453686f700000010001             | the message ends inside a label
            000701000001000000000001 035765420453686f700000010001 000029      | the message ends inside a record
            000701000001000000000001 035765420453686f700000010001 00002904d0000000000004 | the message ends inside data of a record
            000701000001000000000001 035765420453686f700000010001 c00c002904d0000000000000 | OPT record (expected: one, of the root)
            000701000001000000000002 035765420453686f700000010001 00002904d000000000000000002904d0000000000000 | OPT record (expected: one, of the root)
            """)
    void refusesWhatIsNoQuery(String hex, String problem) {
        assertThatThrownBy(() -> read(hex.replace(" ", "")))
                .isInstanceOf(MalformedQueryException.class)
                .hasMessage(problem);
    }

    @Test
    void refusesNamesThatAreTooLong() {
        var label = "3f" + "61".repeat(63);
        assertThatThrownBy(() -> read(HEAD + label.repeat(4) + "0000010001"))
                .isInstanceOf(MalformedQueryException.class)
                .hasMessage("a name longer than 255 bytes");
    }

    /// Whatever is changed: a query or a MalformedQueryException, nothing else.
    @Test
    void changedBytesAreAQueryOrMalformed() {
        byte[] whole = HexFormat.of().parseHex(WITH_RECORD + WEB_SHOP_A + OPT_1232_DO);
        var random = new Random(11);
        int malformed = 0;
        for (int i = 0; i < 100_000; i++) {
            byte[] bytes = Arrays.copyOf(whole, random.nextInt(whole.length + 20));
            for (int changes = random.nextInt(4); changes > 0 && bytes.length > 0; changes--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            try {
                assertThat(QueryMessage.read(Unpooled.wrappedBuffer(bytes)).questionEnd())
                        .isLessThanOrEqualTo(bytes.length);
            } catch (MalformedQueryException e) {
                malformed++;
            }
        }
        assertThat(malformed).isBetween(10_000, 99_999);
    }

    private static QueryMessage read(String hex) throws MalformedQueryException {
        return QueryMessage.read(Unpooled.wrappedBuffer(HexFormat.of().parseHex(hex)));
    }
}
