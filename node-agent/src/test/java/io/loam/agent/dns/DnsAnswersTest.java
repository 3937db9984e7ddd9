package io.loam.agent.dns;

import static io.loam.agent.pod.TestPods.pod;
import static io.loam.agent.pod.TestPods.workload;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.mesh.MeshDelta;
import io.netty.buffer.ByteBuf;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.handler.codec.dns.DnsRecord;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsResponseCode;
import io.netty.handler.codec.dns.DnsSection;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// What a program gets to see of the names of the mesh, and of its own pod that is not known yet.
class DnsAnswersTest extends DnsQueriesFixture {
    @Test
    void answersNamesOfTheMesh() {
        var answer = ask("Web.shop.svc.cluster.local", DnsRecordType.A);

        assertThat(answer.code()).isEqualTo(DnsResponseCode.NOERROR);
        assertThat(answer.isAuthoritativeAnswer()).isTrue();
        assertThat(answer.isRecursionDesired()).isTrue();
        assertThat(answer.isRecursionAvailable()).isTrue();
        assertThat(answer.isTruncated()).isFalse();
        DnsRecord question = answer.recordAt(DnsSection.QUESTION);
        assertThat(question.name()).as("as it was asked").isEqualTo("Web.shop.svc.cluster.local.");
        assertThat(records(answer)).containsExactly("Web.shop.svc.cluster.local. 30 A 10.96.1.1");
        assertThat(count("istio_dns_requests", "request_query_type", "A")).isOne();
        assertThat(asked).isEmpty();
        answer.release();
    }

    /// The first name that a resolver with `ndots:5` tries is the name with its first search suffix.
    @Test
    void aNameWithASearchSuffixIsAnAlias() {
        var answer = ask("web.shop.svc.cluster.local.shop.svc.cluster.local", DnsRecordType.A);

        assertThat(records(answer))
                .containsExactly(
                        "web.shop.svc.cluster.local.shop.svc.cluster.local. 30 CNAME web.shop.svc.cluster.local.",
                        "web.shop.svc.cluster.local. 30 A 10.96.1.1");
        answer.release();
    }

    @Test
    void aKnownNameWithoutAddressOfTheFamilyIsNoError() {
        var answer = ask("web.shop.svc.cluster.local", DnsRecordType.AAAA);

        assertThat(answer.code()).isEqualTo(DnsResponseCode.NOERROR);
        assertThat(answer.count(DnsSection.ANSWER)).isZero();
        answer.release();
    }

    /// 300 addresses of 16 bytes: 512 bytes hold 29 of them with the question; 4,096 with EDNS 253.
    @Test
    void whatDoesNotFitIsLeftOutAndTheAnswerSaysSo() {
        var answer = ask("db.shop.svc.cluster.local", DnsRecordType.A);

        assertThat(answer.isTruncated()).isTrue();
        assertThat(answer.count(DnsSection.ANSWER)).isEqualTo(29);
        answer.release();
    }

    @Test
    void aClientThatTakesMoreGetsMore() {
        channel.writeInbound(new DatagramPacket(edns("db.shop.svc.cluster.local", 65000, 0), PROXY, PROGRAM));
        DatagramPacket packet = channel.readOutbound();

        assertThat(packet.content().readableBytes()).isBetween(4000, 4096);
        assertThat(packet.content().getUnsignedShort(6)).isEqualTo(252);
        assertThat(packet.content().getUnsignedShort(10)).as("its OPT record").isOne();
        packet.release();
    }

    @Test
    void overTcpEverythingFits() {
        var stream = new EmbeddedChannel(new StreamQueries(queries, new InFlight(1, Refusal.CONNECTION_LIMIT)));

        stream.writeInbound(query("db.shop.svc.cluster.local", DnsRecordType.A));

        ByteBuf answer = stream.readOutbound();
        assertThat(answer.getUnsignedShort(6)).isEqualTo(300);
        assertThat(answer.getUnsignedShort(2) & 0x0200).as("truncated").isZero();
        answer.release();
        stream.finishAndReleaseAll();
    }

    /// The question alone would carry data out.
    @Test
    void namesThatTheMeshDoesNotKnowAreDeniedToWhoMayReachNothingElse() {
        view.publish(view.current()
                .apply(MeshDelta.builder()
                        .upsert(registryOnly(workload("client", "10.1.0.1")))
                        .build()));

        var unknown = ask("secret.attacker.example", DnsRecordType.A);
        var known = ask("web.shop.svc.cluster.local", DnsRecordType.A);

        assertThat(asked).isEmpty();
        assertThat(unknown.code()).isEqualTo(DnsResponseCode.NXDOMAIN);
        assertThat(known.count(DnsSection.ANSWER)).isOne();
        assertThat(count("loam_dns_refused", "reason", "egress")).isOne();
        unknown.release();
        known.release();
    }

    /// NXDOMAIN would be believed for its addresses, too (RFC 8020).
    @Test
    void aNameOfTheMeshIsNotDeniedToThemForRecordsThatItHasNot() {
        view.publish(view.current()
                .apply(MeshDelta.builder()
                        .upsert(registryOnly(workload("client", "10.1.0.1")))
                        .build()));

        var mail = ask("web.shop", DnsRecordType.MX);

        assertThat(asked).isEmpty();
        assertThat(mail.code()).isEqualTo(DnsResponseCode.NOERROR);
        assertThat(mail.count(DnsSection.ANSWER)).isZero();
        mail.release();
    }

    @Test
    void aPodThatIsNotKnownYetWaits() {
        var late = pod("late");
        var lateChannel = new EmbeddedChannel(new DatagramQueries(
                new PodQueries(late, services, new InFlight(2, Refusal.POD_LIMIT), channel.eventLoop(), this::forward),
                closed()));
        lateChannel.writeInbound(new DatagramPacket(query("web.shop", DnsRecordType.A), PROXY, PROGRAM));
        assertThat(lateChannel.outboundMessages()).isEmpty();

        view.publish(view.current()
                .apply(MeshDelta.builder().upsert(workload("late", "10.1.0.2")).build()));
        channel.runPendingTasks();
        lateChannel.runPendingTasks();

        DatagramPacket packet = lateChannel.readOutbound();
        assertThat(packet.content().getUnsignedShort(6)).isOne();
        packet.release();
        lateChannel.finishAndReleaseAll();
        late.release();
    }

    @Test
    void aPodThatStaysUnknownIsAServerFailure() {
        var nobody = pod("nobody");
        var its = new EmbeddedChannel();
        its.pipeline()
                .addLast(new DatagramQueries(
                        new PodQueries(
                                nobody, services, new InFlight(2, Refusal.POD_LIMIT), its.eventLoop(), this::forward),
                        closed()));
        its.writeInbound(new DatagramPacket(query("web.shop", DnsRecordType.A), PROXY, PROGRAM));

        its.advanceTimeBy(5, TimeUnit.SECONDS);
        its.runScheduledPendingTasks();

        DatagramPacket packet = its.readOutbound();
        assertThat(packet.content().getUnsignedShort(2) & 0xf).isEqualTo(DnsResponseCode.SERVFAIL.intValue());
        packet.release();
        assertThat(count("loam_dns_refused", "reason", "unknown_source")).isOne();
        its.finishAndReleaseAll();
        nobody.release();
    }
}
