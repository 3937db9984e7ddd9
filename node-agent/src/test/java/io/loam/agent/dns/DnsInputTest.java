package io.loam.agent.dns;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.dns.DnsRecordType;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What becomes of bytes that are no query, and of connections.
class DnsInputTest extends DnsQueriesFixture {
    @ParameterizedTest(name = "{1}")
    @CsvSource({
        "0007010000, malformed, ''", // nothing to answer to
        "'', malformed, ''",
        "000781000001000000000000 00 0001 0001, not_a_query, ''", // an answer: never answered
        "000729000001000000000000 00 0001 0001, operation, 0007a9840000000000000000", // UPDATE: NOTIMP
        "000701000000000000000000, malformed, 000781810000000000000000", // no question: FORMERR
        "000701000001000000000000 c00c 0001 0001, malformed, 000781810000000000000000",
    })
    void whatIsNoQueryIsRefusedOrDroppedAndCounted(String hex, String reason, String answer) {
        channel.writeInbound(new DatagramPacket(
                Unpooled.wrappedBuffer(ByteBufUtil.decodeHexDump(hex.replace(" ", ""))), PROXY, PROGRAM));

        DatagramPacket packet = channel.readOutbound();
        assertThat(packet == null ? "" : ByteBufUtil.hexDump(packet.content())).isEqualTo(answer);
        if (packet != null) {
            packet.release();
        }
        assertThat(count("loam_dns_refused", "reason", reason)).isOne();
        ask("web.shop", DnsRecordType.A).release();
    }

    /// RFC 6891, 6.1.3.
    @Test
    void laterVersionsOfEdnsAreRefused() {
        channel.writeInbound(new DatagramPacket(edns("web.shop", 1232, 1), PROXY, PROGRAM));

        DatagramPacket packet = channel.readOutbound();
        var content = packet.content();
        assertThat(content.getUnsignedShort(2) & 0xf).isZero();
        assertThat(content.getUnsignedByte(content.writerIndex() - 6))
                .as("BADVERS is 16")
                .isOne();
        packet.release();
        assertThat(count("loam_dns_refused", "reason", "edns_version")).isOne();
    }

    @Test
    void aConnectionWithSomethingElseIsClosed() {
        var stream = new EmbeddedChannel(new StreamQueries(queries, new InFlight(1, Refusal.CONNECTION_LIMIT)));

        stream.writeInbound(Unpooled.wrappedBuffer(new byte[] {'G', 'E', 'T'}));

        assertThat(stream.isOpen()).isFalse();
        assertThat(count("loam_dns_refused", "reason", "malformed")).isOne();
    }

    @Test
    void aConnectionWithAnotherProtocolIsClosed() {
        var stream = new EmbeddedChannel(
                new LengthFieldBasedFrameDecoder(4098, 0, 2, 0, 2),
                new StreamQueries(queries, new InFlight(1, Refusal.CONNECTION_LIMIT)));

        stream.writeInbound(Unpooled.copiedBuffer("GET / HTTP/1.1", StandardCharsets.US_ASCII));

        assertThat(stream.isOpen()).isFalse();
        assertThat(count("loam_dns_refused", "reason", "malformed")).isOne();
    }

    @Test
    void tooManyConnectionsAreClosed() {
        var limit = new InFlight(1, Refusal.CONNECTION_LIMIT);
        var first = new EmbeddedChannel(new StreamQueries(queries, limit));
        var second = new EmbeddedChannel(new StreamQueries(queries, limit));

        assertThat(first.isOpen()).isTrue();
        assertThat(second.isOpen()).isFalse();
        first.finishAndReleaseAll();
        assertThat(limit.count()).isZero();
        assertThat(count("loam_dns_refused", "reason", "connection_limit")).isOne();
    }

    /// A client that asks without end is read again when it has been answered.
    @Test
    void aConnectionWithManyWaitingQueriesIsNotRead() {
        services = services(100, 100);
        open();
        var stream = new EmbeddedChannel(new StreamQueries(queries, new InFlight(1, Refusal.CONNECTION_LIMIT)));
        for (int i = 0; i < 16; i++) {
            stream.writeInbound(query("www.example.com", DnsRecordType.A));
        }
        assertThat(stream.config().isAutoRead()).isFalse();

        asked.forEach(waiting -> {
            waiting.message().release();
            waiting.listener().failed(Refusal.UNREACHABLE, "");
        });

        assertThat(stream.config().isAutoRead()).isTrue();
        assertThat(stream.outboundMessages()).hasSize(16);
        stream.finishAndReleaseAll();
    }

    @Test
    void anAgentThatEndsAnswersWhatItsConnectionsAskedAndClosesThem() {
        var open = new InFlight(2, Refusal.CONNECTION_LIMIT);
        var asking = new EmbeddedChannel(new StreamQueries(queries, open));
        var silent = new EmbeddedChannel(new StreamQueries(queries, open));
        asking.writeInbound(query("www.example.com", DnsRecordType.A));

        asking.pipeline().fireUserEventTriggered(StreamQueries.Event.LAST_QUERIES);
        silent.pipeline().fireUserEventTriggered(StreamQueries.Event.LAST_QUERIES);
        assertThat(asking.isOpen()).isTrue();
        fail(asked.remove());

        assertThat(asking.outboundMessages()).hasSize(1);
        assertThat(asking.isOpen()).isFalse();
        assertThat(silent.isOpen()).as("its query may be under way").isTrue();
        silent.writeInbound(query("web.shop", DnsRecordType.A));
        assertThat(silent.outboundMessages()).hasSize(1);
        assertThat(silent.isOpen()).isFalse();
        asking.finishAndReleaseAll();
        silent.finishAndReleaseAll();
        assertThat(open.count()).isZero();
    }
}
