package io.loam.agent.dns;

import static io.loam.agent.pod.TestPods.pod;
import static io.loam.agent.pod.TestPods.workload;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.connections.ConnectionLimits;
import io.loam.agent.pod.LocalPod;
import io.loam.agent.pod.TestPods;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.TunnelProtocol;
import io.loam.runtime.config.DnsConfig;
import io.loam.runtime.config.LimitsConfig;
import io.loam.runtime.metrics.LiveNames;
import io.loam.runtime.metrics.SeriesExpiry;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Resolvers and time are the test's; queries and answers are real messages.
class PodHostsTest {
    private static final String HOST = "db.example.com";
    private static final int A = 1;
    private static final int AAAA = 28;
    private static final int NXDOMAIN = 3;
    private static final int SERVFAIL = 2;
    private static final Duration TIMEOUT = Duration.ofSeconds(4);

    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final HostMetrics metrics = new HostMetrics(registry);
    private final LocalPod pod = pod("client");
    private final Workload client = workload("client", "10.1.0.1");
    private final EmbeddedChannel loop = new EmbeddedChannel();
    private final ArrayDeque<Asked> asked = new ArrayDeque<>();
    private final List<HostLookup.Answer> told = new ArrayList<>();
    private long nanos = Long.MAX_VALUE - 5; // as System.nanoTime may be: it runs over
    private PodHosts hosts = hosts(100, "10.96.0.10");

    private record Asked(
            QueryMessage query,
            ByteBuf message,
            List<InetSocketAddress> resolvers,
            Transport transport,
            Forwarding.Listener listener) {}

    private PodHosts hosts(int sockets, String... resolvers) {
        loop.freezeTime();
        var addresses = Stream.of(resolvers).map(InetAddress::ofLiteral).toList();
        var config = new DnsConfig(false, "", addresses, TIMEOUT, 1, 1);
        var limits = new ConnectionLimits(new LimitsConfig(sockets, sockets, 1, 1), new PrometheusRegistry());
        var services = new HostServices(config, limits, metrics, new Random(1));
        return new PodHosts(
                pod,
                services,
                loop.eventLoop(),
                (query, message, whom, transport, listener) ->
                        asked.add(new Asked(query, message, whom, transport, listener)),
                () -> nanos);
    }

    @AfterEach
    void nothingIsLeft() {
        assertThat(asked).isEmpty();
        assertThat(pod.heldSockets().held()).isZero();
        assertThat(pod.hasOneHolder()).isTrue();
        loop.finishAndReleaseAll();
        pod.release();
    }

    private Runnable find(String host) {
        return find(client, host);
    }

    private Runnable find(Workload source, String host) {
        return hosts.find(source, host, told::add);
    }

    /// The next query is answered.
    ///
    /// @param ttlSeconds of every record
    private void answer(int code, int ttlSeconds, String... addresses) {
        answer(code, ttlSeconds, false, addresses);
    }

    private void answer(int code, int ttlSeconds, boolean truncated, String... addresses) {
        var next = asked.remove();
        var bytes = Unpooled.buffer().writeBytes(next.message);
        next.message.release();
        bytes.setShort(2, 0x8180 | code | (truncated ? 0x0200 : 0)).setShort(6, addresses.length);
        for (var address : addresses) {
            var raw = InetAddress.ofLiteral(address).getAddress();
            bytes.writeShort(0xc00c).writeShort(next.query.type()).writeShort(1).writeInt(ttlSeconds);
            bytes.writeShort(raw.length).writeBytes(raw);
        }
        next.listener.answered(bytes);
        assertThat(bytes.refCnt()).as("the answer is released").isZero();
    }

    private void fail(Refusal reason, String detail) {
        var next = asked.remove();
        next.message.release();
        next.listener.failed(reason, detail);
    }

    private void pass(Duration time) {
        nanos += time.toNanos();
        loop.advanceTimeBy(time.toNanos(), TimeUnit.NANOSECONDS);
        loop.runScheduledPendingTasks();
    }

    private HostLookup.Answer found(String... addresses) {
        return new HostLookup.Answer.Found(
                Stream.of(addresses).map(InetAddress::ofLiteral).toList());
    }

    private static HostLookup.Answer not(String reason) {
        return new HostLookup.Answer.NotFound(reason);
    }

    @Test
    void asksEveryResolverTwiceAndTellsWhatTheySay() {
        hosts = hosts(100, "10.96.0.10", "10.96.0.11");
        find(HOST);

        assertThat(asked.getFirst().query.name()).isEqualTo(HOST);
        assertThat(asked.getFirst().query.type()).isEqualTo(A);
        assertThat(asked.getFirst().transport).isEqualTo(Transport.UDP);
        assertThat(asked.getFirst().resolvers.stream().map(Forwarder::text))
                .containsExactly(
                        "10.96.0.10 port 53", "10.96.0.11 port 53", "10.96.0.10 port 53", "10.96.0.11 port 53");
        assertThat(pod.heldSockets().held()).isOne();
        assertThat(told).isEmpty();
        answer(0, 60, "192.0.2.1", "192.0.2.2");
        assertThat(told).containsExactly(found("192.0.2.1", "192.0.2.2"));
    }

    @Test
    void oneQueryIsUnderWayHoweverManyWait() {
        for (int i = 0; i < 1_000; i++) {
            find(HOST);
        }
        assertThat(asked).hasSize(1);
        answer(0, 60, "192.0.2.1");
        assertThat(told).hasSize(1_000);
        find(HOST);
        assertThat(told).as("at once").hasSize(1_001);
    }

    @Test
    void anAnswerIsKeptForAsLongAsItSays() {
        find(HOST);
        answer(0, 60, "192.0.2.1");
        pass(Duration.ofSeconds(60).minusNanos(1));
        find(HOST);
        assertThat(asked).isEmpty();
        pass(Duration.ofNanos(1));
        find(HOST);
        answer(0, 0, "192.0.2.2");
        assertThat(told).containsExactly(found("192.0.2.1"), found("192.0.2.1"), found("192.0.2.2"));

        find(HOST);
        answer(0, Integer.MAX_VALUE, "192.0.2.3"); // 0 s are for those who waited
        pass(Duration.ofHours(1));
        find(HOST);
        answer(0, 1, "192.0.2.4"); // 68 years are not believed
    }

    @Test
    void namesThatDoNotExistAreAskedForAgainSoon() {
        find(HOST);
        answer(NXDOMAIN, 0);
        pass(Duration.ofSeconds(4));
        find(HOST);
        assertThat(told)
                .containsOnly(not("db.example.com: no such name (asked 10.96.0.10 port 53)"))
                .hasSize(2);
        pass(Duration.ofSeconds(1));
        find(HOST);
        answer(0, 0);
        assertThat(told.getLast()).isEqualTo(not("db.example.com: no address (asked 10.96.0.10 port 53)"));
    }

    @Test
    void aPodWithBothFamiliesGetsTheAddressesOfBoth() {
        var dual = TestPods.dual("client", "10.1.0.1", "fd00::1");
        find(dual, HOST);
        assertThat(asked.stream().map(one -> one.query.type())).containsExactly(A, AAAA);
        answer(0, 60, "192.0.2.1");
        assertThat(told).as("the other one may be preferred").isEmpty();
        answer(0, 20, "2001:db8::1");
        assertThat(told).containsExactly(found("192.0.2.1", "2001:db8::1"));
        pass(Duration.ofSeconds(20));
        find(dual, HOST);
        answer(0, 60, "192.0.2.1");
        answer(SERVFAIL, 0);
        assertThat(told.getLast()).as("one family is better than none").isEqualTo(found("192.0.2.1"));
    }

    @Test
    void aPodWithIpv6AloneIsNotToldOfIpv4() {
        find(workload("client", "fd00::1"), HOST);
        assertThat(asked.getFirst().query.type()).isEqualTo(AAAA);
        answer(0, 60, "2001:db8::1");
        assertThat(told).containsExactly(found("2001:db8::1"));
    }

    /// Hazard: a resolver that is down costs a refusal with its reason, and not a hang.
    @Test
    void resolversThatAreSilentCostTheDeadlineOnce() {
        find(HOST);
        pass(TIMEOUT);
        assertThat(told).containsExactly(not("db.example.com: no answer in 4000 ms (asked 10.96.0.10 port 53)"));
        find(HOST);
        assertThat(told).as("the next one does not wait").hasSize(2);
        fail(Refusal.TIMEOUT, "no answer from 10.96.0.10 port 53 in 2000 ms"); // the forwarder's own end
        pass(Duration.ofSeconds(1));
        find(HOST);
        answer(0, 60, "192.0.2.1");
        assertThat(told.getLast()).as("they are back").isEqualTo(found("192.0.2.1"));
    }

    @Test
    void theDeadlineTellsWhatIsThere() {
        find(TestPods.dual("client", "10.1.0.1", "fd00::1"), HOST);
        answer(0, 60, "192.0.2.1");
        pass(TIMEOUT);
        assertThat(told).containsExactly(found("192.0.2.1"));
        answer(0, 60, "2001:db8::1"); // too late, and not taken
        find(HOST);
        assertThat(told.getLast()).isEqualTo(found("192.0.2.1"));
    }

    @Test
    void whatResolversRefuseIsSaid() {
        find(HOST);
        answer(SERVFAIL, 0);
        pass(Duration.ofSeconds(1));
        find(HOST);
        fail(Refusal.UNREACHABLE, "10.96.0.10 port 53: Connection refused");
        assertThat(told)
                .containsExactly(
                        not("db.example.com: ServFail(2) (asked 10.96.0.10 port 53)"),
                        not("db.example.com: 10.96.0.10 port 53: Connection refused"));
    }

    @Test
    void whatDoesNotFitIsAskedForOverTcp() {
        find(HOST);
        answer(0, 0, true);
        assertThat(told).isEmpty();
        assertThat(asked.getFirst().transport).isEqualTo(Transport.TCP);
        assertThat(asked.getFirst().resolvers).hasSize(1);
        answer(0, 60, "192.0.2.1");
        assertThat(told).containsExactly(found("192.0.2.1"));
    }

    @Test
    void anAnswerThatCannotBeReadIsAFailure() {
        find(HOST);
        var next = asked.remove();
        var bytes = Unpooled.buffer().writeBytes(next.message);
        next.message.release();
        bytes.setShort(2, 0x8180).setShort(6, 1).writeShort(0xc0ff);
        next.listener.answered(bytes);

        assertThat(told).hasSize(1).first().asString().contains("an answer that cannot be read: a pointer to 255");
    }

    @Test
    void whoGivesUpIsNotToldAndTheOthersAre() {
        var givenUp = new ArrayList<HostLookup.Answer>();
        var first = hosts.find(client, HOST, givenUp::add);
        find(HOST);
        first.run();
        answer(0, 60, "192.0.2.1");
        first.run();
        assertThat(givenUp).isEmpty();
        assertThat(told).hasSize(1);
    }

    @Test
    void aBugOfOneWhoWaitsIsNotTheOthers() {
        var _ = hosts.find(client, HOST, _ -> {
            throw new IllegalStateException("bug");
        });
        find(HOST);
        answer(0, 60, "192.0.2.1");
        assertThat(told).hasSize(1);
    }

    @Test
    void whatIsNoHostNameIsRefusedAtOnce() {
        find("no host");
        find("a".repeat(64) + ".example");
        assertThat(told)
                .hasSize(2)
                .allSatisfy(answer -> assertThat(answer.toString()).contains("not a host name"));
    }

    @Test
    void withoutResolversOrSocketsNobodyWaits() {
        hosts = hosts(100);
        find(HOST);
        hosts = hosts(1, "10.96.0.10");
        find("other.example.com");
        find(HOST);
        answer(0, 60, "192.0.2.1");
        assertThat(told)
                .containsExactly(
                        not("db.example.com: no resolver is configured (LOAM_DNS_RESOLVERS)"),
                        not("db.example.com: too many open sockets"),
                        found("192.0.2.1"));
    }

    @Test
    void theNameThatWasNotUsedForLongestMakesRoom() {
        hosts = hosts(2 * PodHosts.MOST_NAMES, "10.96.0.10");
        for (int i = 0; i < PodHosts.MOST_NAMES; i++) {
            find("db-" + i + ".example.com");
        }
        find("one-more.example.com");
        assertThat(told).hasSize(1).first().asString().contains("512 names are being looked up already");

        while (!asked.isEmpty()) {
            answer(0, 60, "192.0.2.1");
        }
        find("db-0.example.com");
        find("one-more.example.com");
        assertThat(hosts.size()).isEqualTo(PodHosts.MOST_NAMES);
        answer(0, 60, "192.0.2.1");
        find("db-0.example.com");
        assertThat(asked).isEmpty();
        find("db-1.example.com");
        answer(0, 60, "192.0.2.1");
    }

    /// Wire reference, 8.1; section 13, row 14.
    @Test
    void connectionsAreCountedByNameUntilTheMeshForgetsIt() {
        find(HOST);
        answer(0, 60, "192.0.2.1");
        find(HOST);
        assertThat(series())
                .singleElement()
                .asString()
                .contains("hostname=\"" + HOST + "\"", "source_workload=\"client\"", "/ns/shop/sa/client")
                .endsWith(" 2.0");

        var known = MeshSnapshot.EMPTY.apply(MeshDelta.builder()
                .upsert(client)
                .upsert(TestPods.named("db", HOST, TunnelProtocol.NONE))
                .build());
        var now = Instant.EPOCH;
        assertThat(metrics.expire(LiveNames.of(known), now)).isZero();
        assertThat(metrics.expire(LiveNames.of(MeshSnapshot.EMPTY), now)).isZero();
        var later = now.plus(SeriesExpiry.RETENTION);
        assertThat(metrics.expire(LiveNames.of(known), later))
                .as("it came back")
                .isZero();
        assertThat(metrics.expire(LiveNames.of(MeshSnapshot.EMPTY), later)).isZero();
        assertThat(metrics.expire(LiveNames.of(MeshSnapshot.EMPTY), later.plus(SeriesExpiry.RETENTION)))
                .isOne();
        assertThat(series()).isEmpty();
    }

    private List<String> series() {
        return registry.scrape("istio_on_demand_dns"::equals).stream()
                .flatMap(found -> ((CounterSnapshot) found).getDataPoints().stream())
                .map(point -> point.getLabels() + " " + point.getValue())
                .toList();
    }
}
