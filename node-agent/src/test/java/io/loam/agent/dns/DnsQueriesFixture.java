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
import io.netty.handler.codec.dns.DatagramDnsQuery;
import io.netty.handler.codec.dns.DatagramDnsQueryEncoder;
import io.netty.handler.codec.dns.DatagramDnsResponse;
import io.netty.handler.codec.dns.DatagramDnsResponseDecoder;
import io.netty.handler.codec.dns.DefaultDnsQuestion;
import io.netty.handler.codec.dns.DefaultDnsRecordDecoder;
import io.netty.handler.codec.dns.DnsOpCode;
import io.netty.handler.codec.dns.DnsRawRecord;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsSection;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/// A pod's DNS proxy without its sockets: queries go in as the C library sends them, answers are read by Netty's
/// decoder, and what is passed on to a resolver waits in [#asked].
abstract class DnsQueriesFixture {
    static final InetSocketAddress PROGRAM = at("10.1.0.1", 40000);
    static final InetSocketAddress PROXY = at("127.0.0.1", 15053);
    static final InetSocketAddress FALLBACK = at("10.96.0.10", 53);

    final PrometheusRegistry registry = new PrometheusRegistry();
    final MeshView view = new MeshView();
    final LocalPod client = pod("client");
    final ArrayDeque<Asked> asked = new ArrayDeque<>();
    int sockets = 100;
    RandomGenerator random = new Random(1);
    DnsServices services = services(2, 3);
    PodQueries queries = queries();
    EmbeddedChannel channel = new EmbeddedChannel();

    record Asked(
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

    void open() {
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

    static void fail(Asked forwarded) {
        forwarded.message.release();
        forwarded.listener.failed(Refusal.TIMEOUT, "");
    }

    DnsServices services(int ofPod, int ofNode) {
        return services(ofPod, ofNode, List.of(FALLBACK.getAddress()));
    }

    DnsServices services(int ofPod, int ofNode, List<InetAddress> resolvers) {
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

    PodQueries queries() {
        return new PodQueries(
                client,
                services,
                new InFlight(services.config.maxForwardedPerPod(), Refusal.POD_LIMIT),
                new EmbeddedChannel().eventLoop(),
                this::forward);
    }

    void forward(
            QueryMessage query,
            ByteBuf message,
            List<InetSocketAddress> resolvers,
            Transport transport,
            Forwarding.Listener listener) {
        asked.add(new Asked(query, message, resolvers, transport, listener));
    }

    OriginalDestinations closed() {
        var unknown = new OriginalDestinations(client, PROXY);
        unknown.close();
        return unknown;
    }

    DatagramDnsResponse ask(String name, DnsRecordType type) {
        channel.writeInbound(new DatagramPacket(query(name, type), PROXY, PROGRAM));
        return answer();
    }

    DatagramDnsResponse answer() {
        DatagramPacket packet = channel.readOutbound();
        var decoder = new EmbeddedChannel(new DatagramDnsResponseDecoder());
        decoder.writeInbound(new DatagramPacket(packet.content(), packet.recipient(), PROXY));
        DatagramDnsResponse response = decoder.readInbound();
        assertThat(response).as("an answer that can be read").isNotNull();
        decoder.finishAndReleaseAll();
        return response;
    }

    static List<String> records(DatagramDnsResponse answer) {
        var texts = new ArrayList<String>();
        for (int i = 0; i < answer.count(DnsSection.ANSWER); i++) {
            DnsRawRecord record = answer.recordAt(DnsSection.ANSWER, i);
            texts.add("%s %d %s %s"
                    .formatted(record.name(), record.timeToLive(), record.type().name(), data(record)));
        }
        return texts;
    }

    static String data(DnsRawRecord record) {
        try {
            return record.type().equals(DnsRecordType.CNAME)
                    ? DefaultDnsRecordDecoder.decodeName(record.content())
                    : InetAddress.getByAddress(ByteBufUtil.getBytes(record.content()))
                            .getHostAddress();
        } catch (UnknownHostException e) {
            throw new AssertionError(e);
        }
    }

    static ByteBuf query(String name, DnsRecordType type) {
        var encoder = new EmbeddedChannel(new DatagramDnsQueryEncoder());
        var query = new DatagramDnsQuery(PROGRAM, PROXY, 7, DnsOpCode.QUERY);
        query.setRecursionDesired(true);
        query.addRecord(DnsSection.QUESTION, new DefaultDnsQuestion(name, type));
        encoder.writeOutbound(query);
        DatagramPacket packet = encoder.readOutbound();
        return packet.content();
    }

    static ByteBuf edns(String name, int payload, int version) {
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

    double count(String metric, String label, String value) {
        return registry.scrape(name -> name.equals(metric)).stream()
                .flatMap(snapshot -> ((CounterSnapshot) snapshot).getDataPoints().stream())
                .filter(point -> value.equals(point.getLabels().get(label)))
                .mapToDouble(CounterSnapshot.CounterDataPointSnapshot::getValue)
                .sum();
    }

    static Service service(String name, String hostname, String... addresses) {
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

    static Workload registryOnly(Workload workload) {
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

    static Workload member(int i) {
        return workload(
                "db-" + i,
                "10.2." + i / 250 + "." + (1 + i % 250),
                Map.of(new NamespacedHostname("shop", "db.shop.svc.cluster.local"), List.of()),
                Workload.TunnelProtocol.HBONE);
    }

    static InetSocketAddress at(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }
}
