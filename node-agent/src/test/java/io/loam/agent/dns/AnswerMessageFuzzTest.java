package io.loam.agent.dns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.dns.DnsRecordType;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// RFC 1035, 4.1, byte by byte: `db.shop`, which is asked for its A records, has an alias `x.shop` and
/// 192.0.2.1.
class AnswerMessageFuzzTest {
    private static final String QUESTION = "026462" + "0473686f70" + "00" + "0001" + "0001";
    private static final String ALIAS = "c00c" + "0005" + "0001" + "00000014" + "0004" + "0178c00f";
    private static final String ADDRESS = "c025" + "0001" + "0001" + "0000001e" + "0004" + "c0000201";

    /// id 7, an answer to a recursive query, one question.
    private static String head(int code, int answers) {
        return "0007" + "818%x".formatted(code) + "0001" + "%04x".formatted(answers) + "0000" + "0000";
    }

    private static QueryMessage query() {
        var bytes =
                Unpooled.wrappedBuffer(HexFormat.of().parseHex("0007" + "0100" + "0001" + "000000000000" + QUESTION));
        try {
            return QueryMessage.read(bytes);
        } catch (MalformedQueryException e) {
            throw new AssertionError(e);
        }
    }

    private static AnswerMessage read(String hex) throws MalformedAnswerException {
        return AnswerMessage.read(Unpooled.wrappedBuffer(HexFormat.of().parseHex(hex.replace(" ", ""))), query());
    }

    @Test
    void followsAliases() throws Exception {
        var answer = read(head(0, 2) + QUESTION + ALIAS + ADDRESS);

        assertThat(answer.addresses()).containsExactly(InetAddress.ofLiteral("192.0.2.1"));
        assertThat(answer.ttlSeconds()).as("the least of both").isEqualTo(20);
    }

    @Test
    void recordsMayStandInAnyOrderAndOfOthersAreNotTaken() throws Exception {
        // x.shop written in full, as there is nothing to point to; the stranger's name is `y.shop`
        var address = "0178c00f" + "0001" + "0001" + "0000001e" + "0004" + "c0000201";
        var stranger = "0179c00f" + "0001" + "0001" + "00000001" + "0004" + "c0000263";
        var text = "c00c" + "0010" + "0001" + "00000001" + "0002" + "0141";
        var answer = read(head(0, 4) + QUESTION + stranger + address + text + ALIAS);

        assertThat(answer.addresses()).containsExactly(InetAddress.ofLiteral("192.0.2.1"));
        assertThat(answer.ttlSeconds()).isEqualTo(20);
    }

    @Test
    void aNameInAnotherCaseIsTheSame() throws Exception {
        var answer = read(head(0, 1) + QUESTION.replace("6462", "4442") + "024462c00f" + "0001" + "0001" + "80000000"
                + "0004" + "c0000201");

        assertThat(answer.addresses()).hasSize(1);
        assertThat(answer.ttlSeconds()).as("RFC 2181, 8").isZero();
    }

    @Test
    void refusalsNeedNoQuestion() throws Exception {
        assertThat(read("0007" + "8183" + "0000" + "0000" + "0000" + "0000").code())
                .isEqualTo(3);
        assertThat(read(head(2, 0) + QUESTION).code()).isEqualTo(2);
    }

    @Test
    void whatIsTruncatedIsNotRead() throws Exception {
        var answer = read("0007" + "8380" + "0001" + "0009" + "0000" + "0000" + QUESTION + ALIAS);

        assertThat(answer.truncated()).isTrue();
        assertThat(answer.addresses()).isEmpty();
    }

    @ParameterizedTest(name = "{1}")
    @CsvSource(delimiter = '|', textBlock = """
            0007 8180 0001 0000 0000 00                                      | 11 bytes (expected: at least 12)
            0008 8180 0001 0000 0000 0000                                    | no answer to the query
            0007 0180 0001 0000 0000 0000                                    | no answer to the query
            0007 8180 0000 0000 0000 0000                                    | 0 questions (expected: 1)
            0007 8180 0001 0101 0000 0000                                    | 257 answers (expected: at most 256)
            0007 8180 0001 0000 0000 0000 026462 00 0001 0001                | another question than the query's
            0007 8180 0001 0000 0000 0000 026462 0473686f70 00 001c 0001     | another question than the query's
            0007 8180 0001 0000 0000 0000 026462 0473686f70 00 0001          | the message ends inside the question
            0007 8180 0001 0000 0000 0000 026462 0473                        | the message ends inside a name
            """)
    void refusesOtherHeadsAndQuestions(String hex, String problem) {
        assertThatThrownBy(() -> read(hex))
                .isInstanceOf(MalformedAnswerException.class)
                .hasMessage(problem);
    }

    @ParameterizedTest(name = "{1}")
    @CsvSource(delimiter = '|', textBlock = """
            c00c 0001 0001 0000001e 0005 c000020100              | an address of 5 bytes (expected: 4)
            c00c 0001 0001 0000001e 0004 c00002                  | the message ends inside data of a record
            c00c 0001 0001 0000001e 00                           | the message ends inside a record
            c00c 0005 0001 0000001e 0003 c00c00                  | an alias of 3 bytes that ends elsewhere
            c00c 0005 0001 0000001e 0001 c00c                    | an alias of 1 bytes that ends elsewhere
            c019 0001 0001 0000001e 0004 c0000201                | a pointer to 25 (expected: 12 to 24)
            c02e 0001 0001 0000001e 0004 c0000201                | a pointer to 46 (expected: 12 to 24)
            c005 0001 0001 0000001e 0004 c0000201                | a pointer to 5 (expected: 12 to 24)
            c0                                                   | the message ends inside a name
            41 61 00                                             | a label of 65 (expected: at most 63)
            80 61 00                                             | a label of 128 (expected: at most 63)
            03 612e62 00 0001 0001 0000001e 0004 c0000201        | a label with a dot
            """)
    void refusesRecordsThatAreNone(String record, String problem) {
        assertThatThrownBy(() -> read(head(0, 1) + QUESTION + record))
                .isInstanceOf(MalformedAnswerException.class)
                .hasMessage(problem);
    }

    @Test
    void refusesAliasesThatLeadInACircle() {
        assertThatThrownBy(() -> read(head(0, 1) + QUESTION + "c00c 0005 0001 0000001e 0002 c00c"))
                .hasMessage("aliases lead in a circle, or over more than 16");
        assertThatThrownBy(() -> read(head(0, 2) + QUESTION + ALIAS + ALIAS)).hasMessage("two aliases of one name");
    }

    /// A name of 129 pointers to labels, and one that grows with each record that points to it.
    @Test
    void namesEndAt255Bytes() {
        var label = "3f" + "61".repeat(63);
        assertThatThrownBy(() -> read(head(0, 1) + QUESTION + label.repeat(4) + "00"))
                .hasMessage("a name longer than 255 bytes");
        assertThatThrownBy(() -> read(head(0, 1) + QUESTION + label.repeat(3) + "3a" + "61".repeat(58) + "c00c"))
                .hasMessage("a name longer than 255 bytes");
    }

    @ParameterizedTest
    @ValueSource(strings = {"a..b", ".", "", "ünï.example", "with space.example", "nul\0.example"})
    void namesThatDnsCannotAskForAreRefused(String name) {
        assertThatThrownBy(() -> QueryMessage.write(ByteBufAllocator.DEFAULT, 7, name, DnsRecordType.A))
                .isInstanceOf(MalformedQueryException.class);
    }

    @Test
    void aQueryOfOursIsAQuery() throws Exception {
        var bytes = QueryMessage.write(ByteBufAllocator.DEFAULT, 0xfffe, "DB.shop.", DnsRecordType.AAAA);
        var read = QueryMessage.read(bytes);
        bytes.release();

        assertThat(read).isEqualTo(new QueryMessage(0xfffe, 0x0100, "db.shop", 28, 1, 25, false, 0, false, 512, 0));
        var long63 = "a".repeat(63);
        var longest = String.join(".", long63, long63, long63, "a".repeat(61));
        QueryMessage.write(ByteBufAllocator.DEFAULT, 7, longest, DnsRecordType.A)
                .release();
        assertThatThrownBy(() -> QueryMessage.write(ByteBufAllocator.DEFAULT, 7, longest + "a", DnsRecordType.A))
                .hasMessage("a name longer than 255 bytes");
        assertThatThrownBy(() -> QueryMessage.write(ByteBufAllocator.DEFAULT, 7, long63 + "a.b", DnsRecordType.A))
                .isInstanceOf(MalformedQueryException.class);
    }

    /// Whatever is changed: an answer or a MalformedAnswerException, nothing else.
    @Test
    void changedBytesAreAnAnswerOrMalformed() {
        byte[] whole = HexFormat.of().parseHex(head(0, 2) + QUESTION + ALIAS + ADDRESS);
        var query = query();
        var random = new Random(11);
        int malformed = 0;
        for (int i = 0; i < 100_000; i++) {
            byte[] bytes = Arrays.copyOf(whole, random.nextInt(whole.length + 20));
            for (int changes = random.nextInt(4); changes > 0 && bytes.length > 0; changes--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            try {
                assertThat(AnswerMessage.read(Unpooled.wrappedBuffer(bytes), query)
                                .ttlSeconds())
                        .isNotNegative();
            } catch (MalformedAnswerException e) {
                malformed++;
            }
        }
        assertThat(malformed).isBetween(10_000, 99_999);
    }
}
