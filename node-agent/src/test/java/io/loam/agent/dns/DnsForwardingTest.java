package io.loam.agent.dns;

import static io.loam.agent.pod.TestPods.pod;
import static io.loam.agent.pod.TestPods.workload;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.mesh.MeshDelta;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsResponseCode;
import io.netty.handler.codec.dns.DnsSection;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What a program gets to see of names that are not the mesh's: asked of a resolver, and what happens when that fails.
class DnsForwardingTest extends DnsQueriesFixture {
    @Test
    void otherNamesAreAskedOfTheResolverWithTheBytesAsTheyCame() {
        var sent = query("www.example.com", DnsRecordType.A);
        var bytes = ByteBufUtil.getBytes(sent);
        channel.writeInbound(new DatagramPacket(sent, PROXY, PROGRAM));

        var forwarded = asked.remove();
        assertThat(forwarded.resolvers()).containsExactly(FALLBACK);
        assertThat(forwarded.transport()).isEqualTo(Transport.UDP);
        assertThat(ByteBufUtil.getBytes(forwarded.message())).isEqualTo(bytes);
        assertThat(services.node.count()).isOne();

        var answer = new byte[] {0, 7, (byte) 0x81, (byte) 0x83, 0, 0, 0, 0, 0, 0, 0, 0};
        forwarded.message().release();
        forwarded.listener().answered(Unpooled.wrappedBuffer(answer.clone()));
        DatagramPacket packet = channel.readOutbound();
        assertThat(packet.recipient()).isEqualTo(PROGRAM);
        assertThat(ByteBufUtil.getBytes(packet.content()))
                .as("also a denial, as it came")
                .isEqualTo(answer);
        packet.release();
        assertThat(count("istio_dns_upstream_requests", "request_query_type", "A"))
                .isOne();
        assertThat(count("istio_dns_upstream_failures", "request_query_type", "A"))
                .isZero();
    }

    /// Types that are not ours are asked elsewhere; a resolver that has never heard of the name must not make
    /// the client believe that it has no addresses.
    @Test
    void aDenialOfAKnownNameBecomesNoData() {
        channel.writeInbound(new DatagramPacket(query("web.shop", DnsRecordType.valueOf(65)), PROXY, PROGRAM));
        var forwarded = asked.remove();
        forwarded.message().release();

        forwarded
                .listener()
                .answered(Unpooled.wrappedBuffer(new byte[] {0, 7, (byte) 0x81, (byte) 0x83, 0, 0, 0, 0, 0, 0, 0, 0}));

        DatagramPacket packet = channel.readOutbound();
        assertThat(packet.content().getUnsignedShort(2)).isEqualTo(0x8180);
        packet.release();
    }

    @Test
    void aResolverThatIsDownIsAServerFailure() {
        channel.writeInbound(new DatagramPacket(query("www.example.com", DnsRecordType.A), PROXY, PROGRAM));
        var forwarded = asked.remove();
        forwarded.message().release();

        forwarded.listener().failed(Refusal.TIMEOUT, "no answer");

        var answer = answer();
        assertThat(answer.code()).isEqualTo(DnsResponseCode.SERVFAIL);
        assertThat(answer.id()).isEqualTo(7);
        answer.release();
        assertThat(count("loam_dns_refused", "reason", "timeout")).isOne();
        assertThat(count("istio_dns_upstream_failures", "request_query_type", "A"))
                .isOne();
    }

    /// A query lost is one thing, a place lost for ever another: after 512 of them a pod would have no DNS.
    @Test
    void aBugOfTheForwarderLosesOneQueryAndNoPlace() {
        queries = new PodQueries(
                client,
                services,
                new InFlight(2, Refusal.POD_LIMIT),
                new EmbeddedChannel().eventLoop(),
                (_, message, _, _, _) -> {
                    message.release();
                    throw new IllegalStateException("bug");
                });
        channel = new EmbeddedChannel(new DatagramQueries(queries, closed()));

        for (int i = 0; i < 5; i++) {
            channel.writeInbound(new DatagramPacket(query("www.example.com", DnsRecordType.A), PROXY, PROGRAM));
        }

        assertThat(channel.outboundMessages()).isEmpty();
        assertThat(count("loam_dns_refused", "reason", "bug")).isEqualTo(5);
        assertThat(count("loam_dns_refused", "reason", "pod_limit")).isZero();
        assertThat(client.hasOneHolder()).isTrue();
    }

    @Test
    void aBugWithAnAnswerLosesOneQueryAndNoPlace() {
        var message = query("www.example.com", DnsRecordType.A);
        channel.writeInbound(new DatagramPacket(message, PROXY, PROGRAM));
        var forwarded = asked.remove();
        forwarded.message().release();
        var cutOff = Unpooled.wrappedBuffer(new byte[1]);

        forwarded.listener().answered(cutOff);
        forwarded.listener().failed(Refusal.TIMEOUT, "the first end counts");

        assertThat(channel.outboundMessages()).isEmpty();
        assertThat(count("loam_dns_refused", "reason", "bug")).isOne();
        assertThat(cutOff.refCnt()).isZero();
        assertThat(message.refCnt()).isZero();
        assertThat(client.hasOneHolder()).isTrue();
    }

    @Test
    void aBugWithAQueryThatWaitedForItsPodIsCounted() {
        random = () -> {
            throw new IllegalStateException("bug");
        };
        services = services(2, 3);
        var late = pod("late");
        var limit = new InFlight(2, Refusal.POD_LIMIT);
        var its = new EmbeddedChannel();
        its.pipeline()
                .addLast(new DatagramQueries(
                        new PodQueries(late, services, limit, its.eventLoop(), this::forward), closed()));
        var message = query("db.shop.svc.cluster.local", DnsRecordType.A);
        its.writeInbound(new DatagramPacket(message, PROXY, PROGRAM));

        view.publish(view.current()
                .apply(MeshDelta.builder().upsert(workload("late", "10.1.0.2")).build()));
        its.runPendingTasks();

        assertThat(its.outboundMessages()).isEmpty();
        assertThat(count("loam_dns_refused", "reason", "bug")).isOne();
        assertThat(limit.count()).isZero();
        assertThat(message.refCnt()).isZero();
        its.finishAndReleaseAll();
        late.release();
    }

    /// Two of this pod may wait, three of the node.
    @ParameterizedTest
    @CsvSource({"2, 3, pod_limit", "3, 2, node_limit"})
    void tooManyThatWaitAreToldSoAtOnce(int ofPod, int ofNode, String reason) {
        services = services(ofPod, ofNode);
        open();
        for (int i = 0; i < 3; i++) {
            channel.writeInbound(new DatagramPacket(query("www.example.com", DnsRecordType.A), PROXY, PROGRAM));
        }

        assertThat(asked).hasSize(2);
        var answer = answer();
        assertThat(answer.code()).isEqualTo(DnsResponseCode.SERVFAIL);
        answer.release();
        assertThat(count("loam_dns_refused", "reason", reason)).isOne();
        var known = ask("web.shop", DnsRecordType.A);
        assertThat(known.count(DnsSection.ANSWER))
                .as("names of the mesh are not concerned")
                .isOne();
        known.release();
        asked.forEach(waiting -> {
            waiting.message().release();
            waiting.listener().failed(Refusal.TIMEOUT, "");
        });
    }

    /// Hazards, rule 6: sockets of DNS are among those that a pod and the node may hold.
    @Test
    void whereNoSocketIsLeftNothingIsPassedOn() {
        sockets = 1;
        services = services(2, 3);
        open();
        var stream = new EmbeddedChannel(new StreamQueries(queries, new InFlight(2, Refusal.CONNECTION_LIMIT)));

        var full = ask("www.example.com", DnsRecordType.A);
        var second = new EmbeddedChannel(new StreamQueries(queries, new InFlight(2, Refusal.CONNECTION_LIMIT)));
        boolean secondOpen = second.isOpen();
        stream.finishAndReleaseAll();
        channel.writeInbound(new DatagramPacket(query("www.example.com", DnsRecordType.A), PROXY, PROGRAM));

        assertThat(full.code()).isEqualTo(DnsResponseCode.SERVFAIL);
        assertThat(secondOpen).isFalse();
        assertThat(count("loam_dns_refused", "reason", "socket_limit")).isEqualTo(2);
        assertThat(asked).hasSize(1);
        full.release();
        second.finishAndReleaseAll();
        var waiting = asked.remove();
        waiting.message().release();
        waiting.listener().failed(Refusal.TIMEOUT, "");
    }

    @Test
    void withoutAResolverTheAnswerIsAServerFailure() {
        services = services(2, 3, List.of());
        open();

        var answer = ask("www.example.com", DnsRecordType.A);

        assertThat(answer.code()).isEqualTo(DnsResponseCode.SERVFAIL);
        answer.release();
        assertThat(count("loam_dns_refused", "reason", "no_resolver")).isOne();
    }

    /// Hazard P1: the socket has to stay for the answer to what was read before an upgrade.
    @Test
    void isIdleWhenTheLastAnswerIsWritten() {
        var its = new EmbeddedChannel();
        var asking =
                new PodQueries(client, services, new InFlight(2, Refusal.POD_LIMIT), its.eventLoop(), this::forward);
        its.pipeline().addLast(new DatagramQueries(asking, closed()));
        var answersWhenIdle = new ArrayList<Integer>();
        its.writeInbound(new DatagramPacket(query("www.example.com", DnsRecordType.A), PROXY, PROGRAM));
        its.writeInbound(new DatagramPacket(query("www.example.org", DnsRecordType.A), PROXY, PROGRAM));

        asking.whenIdle(() -> answersWhenIdle.add(its.outboundMessages().size()));
        fail(asked.remove());
        its.runPendingTasks();
        assertThat(answersWhenIdle).isEmpty();
        fail(asked.remove());
        its.runPendingTasks();

        assertThat(answersWhenIdle).containsExactly(2);
        asking.whenIdle(() -> answersWhenIdle.add(-1));
        assertThat(answersWhenIdle).as("nobody waits").containsExactly(2, -1);
        its.finishAndReleaseAll();
    }
}
