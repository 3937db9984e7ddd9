package io.loam.agent.dns;

import static io.loam.agent.pod.TestPods.pod;
import static io.loam.agent.pod.TestPods.workload;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.connections.ConnectionLimits;
import io.loam.agent.pod.AcceptPause;
import io.loam.agent.pod.LocalPod;
import io.loam.agent.pod.WorkloadWait;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.dns.NameResolver;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.mesh.MeshView;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.model.workload.Workload;
import io.loam.runtime.config.DnsConfig;
import io.loam.runtime.config.LimitsConfig;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.dns.DatagramDnsQuery;
import io.netty.handler.codec.dns.DatagramDnsQueryEncoder;
import io.netty.handler.codec.dns.DatagramDnsResponse;
import io.netty.handler.codec.dns.DatagramDnsResponseDecoder;
import io.netty.handler.codec.dns.DefaultDnsQuestion;
import io.netty.handler.codec.dns.DefaultDnsRecordDecoder;
import io.netty.handler.codec.dns.DnsOpCode;
import io.netty.handler.codec.dns.DnsRawRecord;
import io.netty.handler.codec.dns.DnsRecord;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsResponseCode;
import io.netty.handler.codec.dns.DnsSection;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What a program gets to see: queries go in as the C library sends them, answers are read by Netty's decoder.
class DnsQueriesTest {
    private static final InetSocketAddress PROGRAM = at("10.1.0.1", 40000);
    private static final InetSocketAddress PROXY = at("127.0.0.1", 15053);
    private static final InetSocketAddress FALLBACK = at("10.96.0.10", 53);

    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final MeshView view = new MeshView();
    private final LocalPod client = pod("client");
    private final ArrayDeque<Asked> asked = new ArrayDeque<>();
    private int sockets = 100;
    private RandomGenerator random = new Random(1);
    private DnsServices services = services(2, 3);
    private PodQueries queries = queries();
    private EmbeddedChannel channel = new EmbeddedChannel();

    private record Asked(
            QueryMessage query,
            ByteBuf message,
            List<InetSocketAddress> resolvers,
            Transport transport,
            Forwarding.Listener listener) {}

    @BeforeEach
    void mesh() {
        var delta = MeshDelta.builder()
                .upsert(workload("client", "10.1.0.1"))
                .upsert(service("web", "web.shop.svc.cluster.local", "10.96.1.1"))
                .upsert(service("db", "db.shop.svc.cluster.local"));
        IntStream.range(0, 300).forEach(i -> delta.upsert(member(i)));
        view.publish(MeshSnapshot.EMPTY.apply(delta.build()));
        open();
    }

    private void open() {
        queries = queries();
        var unknown = new OriginalDestinations(client, PROXY);
        unknown.close(); // no kernel here: everybody asks the configured resolver
        channel = new EmbeddedChannel(new DatagramQueries(queries, unknown));
    }

    @AfterEach
    void nothingIsLeft() {
        assertThat(services.node.count()).isZero();
        assertThat(client.heldSockets().held()).isZero();
        channel.finishAndReleaseAll();
        client.release();
    }

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

    @Test
    void otherNamesAreAskedOfTheResolverWithTheBytesAsTheyCame() {
        var sent = query("www.example.com", DnsRecordType.A);
        var bytes = ByteBufUtil.getBytes(sent);
        channel.writeInbound(new DatagramPacket(sent, PROXY, PROGRAM));

        var forwarded = asked.remove();
        assertThat(forwarded.resolvers).containsExactly(FALLBACK);
        assertThat(forwarded.transport).isEqualTo(Transport.UDP);
        assertThat(ByteBufUtil.getBytes(forwarded.message)).isEqualTo(bytes);
        assertThat(services.node.count()).isOne();

        var answer = new byte[] {0, 7, (byte) 0x81, (byte) 0x83, 0, 0, 0, 0, 0, 0, 0, 0};
        forwarded.message.release();
        forwarded.listener.answered(Unpooled.wrappedBuffer(answer.clone()));
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
        forwarded.message.release();

        forwarded.listener.answered(
                Unpooled.wrappedBuffer(new byte[] {0, 7, (byte) 0x81, (byte) 0x83, 0, 0, 0, 0, 0, 0, 0, 0}));

        DatagramPacket packet = channel.readOutbound();
        assertThat(packet.content().getUnsignedShort(2)).isEqualTo(0x8180);
        packet.release();
    }

    @Test
    void aResolverThatIsDownIsAServerFailure() {
        channel.writeInbound(new DatagramPacket(query("www.example.com", DnsRecordType.A), PROXY, PROGRAM));
        var forwarded = asked.remove();
        forwarded.message.release();

        forwarded.listener.failed(Refusal.TIMEOUT, "no answer");

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
        forwarded.message.release();
        var cutOff = Unpooled.wrappedBuffer(new byte[1]);

        forwarded.listener.answered(cutOff);
        forwarded.listener.failed(Refusal.TIMEOUT, "the first end counts");

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
            waiting.message.release();
            waiting.listener.failed(Refusal.TIMEOUT, "");
        });
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
        waiting.message.release();
        waiting.listener.failed(Refusal.TIMEOUT, "");
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
            waiting.message.release();
            waiting.listener.failed(Refusal.UNREACHABLE, "");
        });

        assertThat(stream.config().isAutoRead()).isTrue();
        assertThat(stream.outboundMessages()).hasSize(16);
        stream.finishAndReleaseAll();
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

    private static void fail(Asked forwarded) {
        forwarded.message.release();
        forwarded.listener.failed(Refusal.TIMEOUT, "");
    }

    private DnsServices services(int ofPod, int ofNode) {
        return services(ofPod, ofNode, List.of(FALLBACK.getAddress()));
    }

    private DnsServices services(int ofPod, int ofNode, List<InetAddress> resolvers) {
        registry.clear();
        return new DnsServices(
                new DnsConfig(true, "", resolvers, Duration.ofSeconds(4), ofNode, ofPod),
                new NameResolver("cluster.local", "", true),
                view,
                new WorkloadWait(view),
                new ConnectionLimits(new LimitsConfig(sockets, sockets, 1, 1), registry),
                new DnsMetrics(registry),
                new AcceptPause(registry),
                random);
    }

    private PodQueries queries() {
        return new PodQueries(
                client,
                services,
                new InFlight(services.config.maxForwardedPerPod(), Refusal.POD_LIMIT),
                new EmbeddedChannel().eventLoop(),
                this::forward);
    }

    private void forward(
            QueryMessage query,
            ByteBuf message,
            List<InetSocketAddress> resolvers,
            Transport transport,
            Forwarding.Listener listener) {
        asked.add(new Asked(query, message, resolvers, transport, listener));
    }

    private OriginalDestinations closed() {
        var unknown = new OriginalDestinations(client, PROXY);
        unknown.close();
        return unknown;
    }

    private DatagramDnsResponse ask(String name, DnsRecordType type) {
        channel.writeInbound(new DatagramPacket(query(name, type), PROXY, PROGRAM));
        return answer();
    }

    private DatagramDnsResponse answer() {
        DatagramPacket packet = channel.readOutbound();
        var decoder = new EmbeddedChannel(new DatagramDnsResponseDecoder());
        decoder.writeInbound(new DatagramPacket(packet.content(), packet.recipient(), PROXY));
        DatagramDnsResponse response = decoder.readInbound();
        assertThat(response).as("an answer that can be read").isNotNull();
        decoder.finishAndReleaseAll();
        return response;
    }

    private static List<String> records(DatagramDnsResponse answer) {
        var texts = new ArrayList<String>();
        for (int i = 0; i < answer.count(DnsSection.ANSWER); i++) {
            DnsRawRecord record = answer.recordAt(DnsSection.ANSWER, i);
            texts.add("%s %d %s %s"
                    .formatted(record.name(), record.timeToLive(), record.type().name(), data(record)));
        }
        return texts;
    }

    private static String data(DnsRawRecord record) {
        try {
            return record.type().equals(DnsRecordType.CNAME)
                    ? DefaultDnsRecordDecoder.decodeName(record.content())
                    : InetAddress.getByAddress(ByteBufUtil.getBytes(record.content()))
                            .getHostAddress();
        } catch (UnknownHostException e) {
            throw new AssertionError(e);
        }
    }

    private static ByteBuf query(String name, DnsRecordType type) {
        var encoder = new EmbeddedChannel(new DatagramDnsQueryEncoder());
        var query = new DatagramDnsQuery(PROGRAM, PROXY, 7, DnsOpCode.QUERY);
        query.setRecursionDesired(true);
        query.addRecord(DnsSection.QUESTION, new DefaultDnsQuestion(name, type));
        encoder.writeOutbound(query);
        DatagramPacket packet = encoder.readOutbound();
        return packet.content();
    }

    private static ByteBuf edns(String name, int payload, int version) {
        var plain = query(name, DnsRecordType.A);
        var message = Unpooled.buffer().writeBytes(plain);
        plain.release();
        message.setShort(10, 1);
        return message.writeByte(0)
                .writeShort(DnsRecordType.OPT.intValue())
                .writeShort(payload)
                .writeByte(0)
                .writeByte(version)
                .writeShort(0)
                .writeShort(0);
    }

    private double count(String metric, String label, String value) {
        return registry.scrape(name -> name.equals(metric)).stream()
                .flatMap(snapshot -> ((CounterSnapshot) snapshot).getDataPoints().stream())
                .filter(point -> value.equals(point.getLabels().get(label)))
                .mapToDouble(CounterSnapshot.CounterDataPointSnapshot::getValue)
                .sum();
    }

    private static Service service(String name, String hostname, String... addresses) {
        return new Service(
                name,
                new NamespacedHostname("shop", hostname),
                Stream.of(addresses)
                        .map(text -> new ServiceAddress("", CidrBlock.parse(text)))
                        .toList(),
                List.of(),
                List.of(),
                null,
                List.of(),
                LoadBalancing.ANY,
                Service.IpFamilies.AUTOMATIC,
                true,
                false,
                Service.Visibility.PUBLIC);
    }

    private static Workload registryOnly(Workload workload) {
        return new Workload(
                workload.uid(),
                workload.name(),
                workload.namespace(),
                workload.addresses(),
                workload.hostname(),
                workload.network(),
                workload.tunnel(),
                workload.trustDomain(),
                workload.serviceAccount(),
                workload.waypoint(),
                workload.networkGateway(),
                workload.node(),
                workload.canonicalName(),
                workload.canonicalRevision(),
                workload.type(),
                workload.workloadName(),
                workload.nativeTunnel(),
                workload.applicationTunnel(),
                workload.services(),
                workload.authorizationPolicies(),
                workload.status(),
                workload.clusterId(),
                workload.locality(),
                workload.networkMode(),
                workload.capacity(),
                Workload.Egress.REGISTRY_ONLY);
    }

    private static Workload member(int i) {
        return workload(
                "db-" + i,
                "10.2." + i / 250 + "." + (1 + i % 250),
                Map.of(new NamespacedHostname("shop", "db.shop.svc.cluster.local"), List.of()),
                Workload.TunnelProtocol.HBONE);
    }

    private static InetSocketAddress at(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }
}
