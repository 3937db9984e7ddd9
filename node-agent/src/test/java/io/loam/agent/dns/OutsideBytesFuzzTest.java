package io.loam.agent.dns;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsResponseCode;
import java.net.InetAddress;
import java.util.Collections;
import java.util.List;

/// Queries of a pod's programs, and answers of resolvers, as any bytes. A query is read in full or refused, and
/// every answer of ours repeats the question, names the query, fits what the client takes, and is a message
/// that we could read ourselves. Each build runs what lies in the resources beside this class; CONTRIBUTING
/// says how to look for more.
class OutsideBytesFuzzTest {
    private static final InetAddress ADDRESS = InetAddress.ofLiteral("10.244.0.7");

    @FuzzTest(maxDuration = "10m")
    void query(byte[] input) {
        var message = Unpooled.wrappedBuffer(input);
        QueryMessage query;
        try {
            query = QueryMessage.read(message);
        } catch (MalformedQueryException refused) {
            assertThat(refused.getMessage()).isNotBlank();
            if (input.length >= QueryMessage.HEADER_BYTES) {
                Answers.error(ByteBufAllocator.DEFAULT, message, DnsResponseCode.FORMERR)
                        .release();
            }
            return;
        }
        assertThat(message.readableBytes()).as("indexes are left alone").isEqualTo(input.length);
        assertThat(query.name().length()).isLessThanOrEqualTo(255);
        assertThat(query.questionEnd()).isBetween(QueryMessage.HEADER_BYTES + 5, input.length);

        check(query, input, Answers.error(ByteBufAllocator.DEFAULT, query, message, DnsResponseCode.NXDOMAIN));
        int limit = Math.min(query.payloadBytes(), Forwarder.MOST_DATAGRAM_BYTES);
        var many = Answers.addresses(
                ByteBufAllocator.DEFAULT, query, message, "", Collections.nCopies(300, ADDRESS), limit, Transport.UDP);
        assertThat(many.readableBytes()).isLessThanOrEqualTo(limit);
        check(query, input, many);
    }

    /// What resolvers send, for `db.shop`: read in full or refused, and never more than is there. The first two
    /// bytes are the query's identifier, so that not every input is thrown away by it.
    @FuzzTest(maxDuration = "10m")
    void answer(byte[] input) throws MalformedQueryException {
        int id = input.length < 2 ? 0 : ((input[0] & 0xff) << 8) | (input[1] & 0xff);
        for (var type : List.of(DnsRecordType.A, DnsRecordType.AAAA)) {
            var asked = QueryMessage.write(ByteBufAllocator.DEFAULT, id, "db.shop", type);
            var query = QueryMessage.read(asked);
            asked.release();
            var message = Unpooled.wrappedBuffer(input);
            try {
                var answer = AnswerMessage.read(message, query);
                assertThat(answer.addresses()).hasSizeLessThanOrEqualTo(input.length / 15);
                assertThat(answer.ttlSeconds()).isNotNegative();
                assertThat(answer.truncated() || answer.code() != 0)
                        .isIn(false, answer.addresses().isEmpty());
            } catch (MalformedAnswerException refused) {
                assertThat(refused.getMessage()).isNotBlank();
            }
            assertThat(message.readableBytes()).as("indexes are left alone").isEqualTo(input.length);
        }
    }

    private static void check(QueryMessage query, byte[] asked, ByteBuf answer) {
        try {
            assertThat(answer.getUnsignedShort(0)).isEqualTo(query.id());
            assertThat(answer.getUnsignedShort(2) & QueryMessage.RESPONSE).isNotZero();
            for (int i = QueryMessage.HEADER_BYTES; i < query.questionEnd(); i++) {
                assertThat(answer.getByte(i)).isEqualTo(asked[i]);
            }
            assertThat(QueryMessage.read(answer).name()).isEqualTo(query.name());
        } catch (MalformedQueryException e) {
            throw new AssertionError("our own answer", e);
        } finally {
            answer.release();
        }
    }
}
