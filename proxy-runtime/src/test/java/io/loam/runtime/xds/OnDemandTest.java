package io.loam.runtime.xds;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import io.grpc.Status;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.GatewayAddress;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.mesh.MeshView;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.proto.discovery.Resource;
import io.loam.protocol.proto.workload.Address;
import io.loam.protocol.xds.ResourceNames;
import io.loam.protocol.xds.ServiceMapping;
import io.loam.protocol.xds.WorkloadMapping;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.config.NodeConfig;
import io.loam.runtime.config.UpstreamConfig;
import io.loam.runtime.config.UpstreamConfig.RootCertificates;
import io.loam.runtime.grpc.UpstreamChannels;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.time.ManualTimer;
import io.loam.runtime.xds.AddressDemand.Answer;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// `XDS_ON_DEMAND` (wire reference, 4.2) against a control plane that says what the test wants. Time is moved
/// by hand.
@Timeout(60)
class OnDemandTest {
    private static final NamespacedHostname CART = new NamespacedHostname("shop", "cart.shop.svc.cluster.local");
    private static final NamespacedHostname GATE = new NamespacedHostname("shop", "gate.shop.svc.cluster.local");
    private static final String VIP = "/10.96.0.1";

    private final EventLoops loops = new EventLoops(1);
    private final ManualTimer timer = new ManualTimer();
    private final AtomicLong nanos = new AtomicLong();
    private final MeshView view = new MeshView();
    private final PrometheusRegistry metrics = new PrometheusRegistry();
    private final AddressDemand demand = new AddressDemand(metrics, nanos::get);

    /// What is answered, and whether the mesh in force knew it then.
    private final LinkedBlockingQueue<String> answered = new LinkedBlockingQueue<>();

    private final ScriptedControlPlane server;
    private final XdsClient client;
    private int nonce;

    OnDemandTest() throws Exception {
        server = new ScriptedControlPlane(0, "control-plane");
        var node = new NodeConfig(
                "n1", "east", "", "cluster.local", "cluster.local", "agent", "loam-system", "ztunnel", "", Map.of());
        var upstream = new UpstreamConfig(
                URI.create("https://127.0.0.1:" + server.port()),
                new RootCertificates.Inline(server.rootPem()),
                "control-plane",
                null,
                "east",
                Map.of());
        client = new XdsClient(
                new UpstreamChannels(loops.control()),
                upstream,
                node,
                view,
                new MeshMemory(null, timer, Runnable::run),
                demand,
                new Readiness(),
                metrics,
                timer,
                RandomGenerator.getDefault());
        demand.addListener(
                () -> answered.add("workloads=" + view.current().workloads().size() + " services="
                        + view.current().services().size()));
        client.start();
    }

    @AfterEach
    void close() throws IOException {
        client.close();
        server.close();
        loops.close();
    }

    // --- asking ---

    @Test
    void beginsWithNothingAndWithAllPolicies() throws Exception {
        var stream = server.stream();
        var addresses = stream.request();
        var policies = stream.request();

        assertThat(addresses.getTypeUrl()).isEqualTo(ResourceNames.ADDRESS_TYPE);
        assertThat(addresses.getResourceNamesSubscribeList()).containsExactly("*");
        assertThat(addresses.getResourceNamesUnsubscribeList()).containsExactly("*");
        assertThat(policies.getTypeUrl()).isEqualTo(ResourceNames.AUTHORIZATION_TYPE);
        assertThat(policies.getResourceNamesSubscribeList()).isEmpty();
        assertThat(policies.getResourceNamesUnsubscribeList()).isEmpty();
    }

    @Test
    void asksOnceForWhatManyNeed() throws Exception {
        var stream = inStep();
        for (int i = 0; i < 100; i++) {
            assertThat(demand.use(VIP)).isTrue();
        }
        assertThat(stream.request().getResourceNamesSubscribeList()).containsExactly(VIP);
        assertThat(demand.use("/10.0.0.9")).isTrue();

        assertThat(stream.request().getResourceNamesSubscribeList())
                .as("nothing was asked for in between")
                .containsExactly("/10.0.0.9");
        assertThat(counter("loam_xds_demand_asked")).isEqualTo(2);
    }

    @Test
    void anAnswerCountsWhenTheMeshHasIt() throws Exception {
        var stream = inStep();
        use(stream, VIP);
        assertThat(demand.isAnswered(VIP)).isFalse();

        send(stream, addresses(cart(null), endpoint("cart-1", "10.0.0.2")));

        assertThat(heard()).isEqualTo("workloads=1 services=1");
        assertThat(demand.isAnswered(VIP)).isTrue();
        assertThat(view.current().endpoints(CART).size()).isEqualTo(1);
    }

    @Test
    void thatNobodyHasItIsAnAnswerAndAskedAgainAfterAWhile() throws Exception {
        var stream = inStep();
        use(stream, "/203.0.113.1");
        send(stream, addresses().addRemovedResources("/203.0.113.1"));
        heard();
        assertThat(demand.states()).containsEntry("/203.0.113.1", new AddressDemand.State(Answer.ABSENT, 1));

        demand.use("/203.0.113.1");
        pass(AddressDemand.BELIEVED.plusSeconds(1));
        demand.use("/203.0.113.1");

        assertThat(demand.isAnswered("/203.0.113.1")).as("believed meanwhile").isTrue();
        assertThat(stream.request().getResourceNamesSubscribeList()).containsExactly("/203.0.113.1");
    }

    /// Before every type was heard the mesh in force is an empty one.
    @Test
    void anAnswerDoesNotCountBeforeThePoliciesAreThere() throws Exception {
        var stream = connected();
        use(stream, VIP);
        send(stream, addresses(cart(null)));
        assertThat(demand.isAnswered(VIP)).isFalse();

        send(stream, policies());

        assertThat(heard()).isEqualTo("workloads=0 services=1");
        assertThat(demand.isAnswered(VIP)).isTrue();
    }

    /// Somebody has the address, and nobody knows who: neither "unknown to the mesh" nor known.
    @Test
    void aResourceThatCannotBeReadIsNoAnswer() throws Exception {
        var stream = inStep();
        use(stream, "/10.0.0.9");
        send(stream, addresses().addRemovedResources("/10.0.0.9"));
        heard();
        var garbled = Resource.newBuilder()
                .setName("east//Pod/shop/late")
                .addAliases("/10.0.0.9")
                .setVersion("v1")
                .setResource(Any.newBuilder().setValue(ByteString.copyFrom(new byte[] {(byte) 0xff, 1, 2})))
                .build();

        send(stream, addresses().addResources(garbled));

        heard();
        assertThat(demand.isAnswered("/10.0.0.9")).isFalse();
    }

    @Test
    void namesAreLimitedAndThoseInUseGoOn() throws Exception {
        var stream = inStep();
        use(stream, VIP);
        send(stream, addresses(cart(null)));
        heard();
        for (int i = 0; i < AddressDemand.MOST_PENDING; i++) {
            assertThat(demand.use("/10." + (i >> 16) + "." + (i >> 8 & 255) + "." + (i & 255)))
                    .isTrue();
        }

        for (int asked = 0; asked < AddressDemand.MOST_PENDING; ) {
            asked += stream.request().getResourceNamesSubscribeCount();
        }
        assertThat(demand.use("/192.0.2.1")).isFalse();
        demand.mention("/192.0.2.1");
        assertThat(demand.states()).doesNotContainKey("/192.0.2.1");
        assertThat(demand.use(VIP)).isTrue();
        assertThat(counter("loam_xds_demand_refused")).isEqualTo(1);
    }

    /// Who tries one address after another gives way to those who come after.
    @Test
    void addressesThatNobodyHasMakeRoom() throws Exception {
        var stream = inStep();
        use(stream, VIP);
        send(stream, addresses(cart(null)));
        for (int next = 1; next < AddressDemand.MOST_NAMES; next += AddressDemand.MOST_PENDING) {
            int end = Math.min(AddressDemand.MOST_NAMES, next + AddressDemand.MOST_PENDING);
            var absent = addresses();
            for (int i = next; i < end; i++) {
                var name = "/10." + (i >> 16) + "." + (i >> 8 & 255) + "." + (i & 255);
                assertThat(demand.use(name)).isTrue();
                demand.release(name);
                absent.addRemovedResources(name);
            }
            for (int asked = next; asked < end; ) {
                asked += stream.request().getResourceNamesSubscribeCount();
            }
            send(stream, absent);
        }
        await(() -> demand.states().size() == AddressDemand.MOST_NAMES);

        pass(Duration.ofMillis(1));
        assertThat(demand.use("/192.0.2.1")).as("there is no room").isFalse();

        assertThat(stream.request().getResourceNamesUnsubscribeCount()).isEqualTo(AddressDemand.MOST_NAMES - 1);
        use(stream, "/192.0.2.1");
        assertThat(demand.isAnswered(VIP)).as("in use").isTrue();
    }

    // --- what a name leads to ---

    @Test
    void asksForTheWaypointsOfWhatCame() throws Exception {
        var stream = inStep();
        use(stream, VIP);

        send(stream, addresses(cart(GATE)));

        assertThat(stream.request().getResourceNamesSubscribeList()).containsExactly(GATE.toString());
        assertThat(demand.isAnswered(GATE.toString())).isFalse();
        send(stream, addresses(gate(), waypoint()));
        await(() -> demand.isAnswered(GATE.toString()));
        assertThat(view.current().endpoints(GATE).size()).isEqualTo(1);
    }

    @Test
    void asksForTheServicesOfTheNodesOwnPods() throws Exception {
        var stream = inStep();

        send(stream, addresses(local("cart-1", "10.0.0.1")));

        assertThat(stream.request().getResourceNamesSubscribeList()).containsExactly(CART.toString());
    }

    // --- coherence ---

    @Test
    void whatChangesWhileItIsSubscribedToCounts() throws Exception {
        var stream = inStep();
        use(stream, VIP);
        send(stream, addresses(cart(null), endpoint("cart-1", "10.0.0.2")));

        send(stream, addresses(endpoint("cart-2", "10.0.0.3")).addRemovedResources(uid("cart-1")));

        assertThat(endpoints()).containsExactly(uid("cart-2"));
        assertThat(demand.isAnswered(VIP)).isTrue();
    }

    /// Endpoints may come before what they belong to; nobody sends them twice.
    @Test
    void endpointsThatComeBeforeTheirServiceAreKept() throws Exception {
        var stream = inStep();
        use(stream, VIP);
        send(stream, addresses(endpoint("cart-1", "10.0.0.2")));
        sweep();

        send(stream, addresses(cart(null)));

        assertThat(endpoints()).containsExactly(uid("cart-1"));
        sweep();
        assertThat(endpoints()).containsExactly(uid("cart-1"));
    }

    @Test
    void whatNobodyAskedForIsGivenUp() throws Exception {
        var stream = inStep();
        send(stream, addresses(endpoint("cart-1", "10.0.0.2"), local("own", "10.0.0.1")));
        stream.request(); // for the service of the node's own
        sweep();
        send(stream, addresses().addRemovedResources(CART.toString()));

        pass(AddressDemand.UNUSED.plusSeconds(1)); // the own pod leads to the service for as long as it is there
        sweep();

        assertThat(view.current().workloads()).hasSize(2);
        assertThat(demand.states()).containsKey(CART.toString());
    }

    @Test
    void whatIsNotUsedAnyMoreIsGivenUpWithAllThatBelongsToIt() throws Exception {
        var stream = inStep();
        use(stream, VIP);
        use(stream, "/10.0.0.9");
        send(
                stream,
                addresses(
                        cart(null), endpoint("cart-1", "10.0.0.2"), pod("far", "10.0.0.9"), local("own", "10.0.0.1")));
        stream.request();
        demand.release(VIP);
        demand.refer("/10.0.0.9");
        demand.release("/10.0.0.9");

        pass(AddressDemand.UNUSED.plusSeconds(1));
        sweep();
        // The own pod is an endpoint of the service, which stays for that reason.
        assertThat(stream.request().getResourceNamesUnsubscribeList()).containsExactly(VIP);
        assertThat(view.current().service(CART)).isNotNull();

        send(stream, addresses().addRemovedResources(uid("own")));
        pass(AddressDemand.UNUSED.plusSeconds(1));
        sweep();

        assertThat(stream.request().getResourceNamesUnsubscribeList())
                .containsExactlyInAnyOrder(CART.toString(), uid("cart-1"));
        assertThat(view.current().services()).isEmpty();
        assertThat(view.current().workload(uid("far"))).as("in use").isNotNull();
        assertThat(demand.isAnswered("/10.0.0.9")).isTrue();
        assertThat(demand.isAnswered(VIP)).isFalse();
    }

    /// The control plane had not read yet that it is given up: nobody would tell when it ends.
    @Test
    void whatCrossesWithItsEndIsNotTakenUpAgain() throws Exception {
        var stream = inStep();
        use(stream, VIP);
        send(stream, addresses(cart(null), endpoint("cart-1", "10.0.0.2")));
        demand.release(VIP);
        pass(AddressDemand.UNUSED.plusSeconds(1));
        sweep();
        stream.request();

        send(stream, addresses(endpoint("cart-1", "10.0.0.77")));

        assertThat(view.current().workloads()).isEmpty();
    }

    @Test
    void whatIsNeededAgainIsAskedForAgain() throws Exception {
        var stream = inStep();
        use(stream, VIP);
        send(stream, addresses(cart(null), endpoint("cart-1", "10.0.0.2")));
        demand.release(VIP);
        pass(AddressDemand.UNUSED.plusSeconds(1));
        sweep();
        stream.request();

        use(stream, VIP);
        assertThat(demand.isAnswered(VIP)).isFalse();
        send(stream, addresses(cart(null), endpoint("cart-2", "10.0.0.3")));

        assertThat(endpoints()).containsExactly(uid("cart-2"));
    }

    // --- without a control plane ---

    @Test
    void aNewStreamIsToldWhatIsHeldAndWhatIsStillWaitedFor() throws Exception {
        var stream = inStep();
        use(stream, VIP);
        send(stream, addresses(cart(null), endpoint("cart-1", "10.0.0.2")));
        use(stream, "/10.0.0.9");
        use(stream, "/10.0.0.10");
        demand.release("/10.0.0.10"); // who waited for it has given up

        stream.end(Status.UNAVAILABLE);
        await(() -> !demand.isConnected());
        assertThat(demand.isAnswered(VIP)).as("what is known stays so").isTrue();
        assertThat(demand.use("/10.0.0.11")).isTrue();
        var again = reconnected();
        var first = again.request();
        again.request();
        var second = again.request();

        assertThat(first.getResourceNamesSubscribeList()).containsExactlyInAnyOrder("*", VIP);
        assertThat(first.getResourceNamesUnsubscribeList()).containsExactly("*");
        assertThat(first.getInitialResourceVersionsMap())
                .containsExactlyInAnyOrderEntriesOf(Map.of(CART.toString(), "v1", uid("cart-1"), "v1"));
        assertThat(second.getResourceNamesSubscribeList()).containsExactlyInAnyOrder("/10.0.0.9", "/10.0.0.11");
        assertThat(second.getInitialResourceVersionsMap()).isEmpty();
        assertThat(demand.states()).doesNotContainKey("/10.0.0.10");

        send(again, addresses(pod("far", "10.0.0.9")).addRemovedResources("/10.0.0.11"));
        await(() -> demand.isAnswered("/10.0.0.9") && demand.isAnswered("/10.0.0.11"));
    }

    // --- helpers ---

    private ScriptedControlPlane.Stream connected() throws InterruptedException {
        var stream = server.stream();
        stream.request();
        stream.request();
        return stream;
    }

    private ScriptedControlPlane.Stream inStep() throws InterruptedException {
        var stream = connected();
        send(stream, policies());
        send(stream, addresses());
        return stream;
    }

    /// Lets the pause between two streams pass.
    private ScriptedControlPlane.Stream reconnected() throws InterruptedException {
        await(() -> timer.waiting().stream().anyMatch(delay -> delay.compareTo(Duration.ofSeconds(1)) < 0));
        timer.advance(Duration.ofSeconds(1));
        return server.stream();
    }

    private void use(ScriptedControlPlane.Stream stream, String name) throws InterruptedException {
        demand.use(name);
        assertThat(stream.request().getResourceNamesSubscribeList()).containsExactly(name);
    }

    /// Sends and has it confirmed.
    private void send(ScriptedControlPlane.Stream stream, DeltaDiscoveryResponse.Builder response)
            throws InterruptedException {
        var sent = "n" + ++nonce;
        stream.send(response.setNonce(sent));
        var answer = stream.request();
        assertThat(answer.getResponseNonce()).isEqualTo(sent);
    }

    private void pass(Duration time) {
        nanos.addAndGet(time.toNanos());
    }

    /// Lets the client look what is not needed any more. A response behind it shows that it has.
    private void sweep() throws InterruptedException {
        await(() -> timer.waiting().contains(XdsClient.SWEEP));
        timer.advance(XdsClient.SWEEP);
        await(() -> timer.waiting().contains(XdsClient.SWEEP));
    }

    private String heard() throws InterruptedException {
        var said = answered.poll(10, TimeUnit.SECONDS);
        return said == null ? "nothing within 10 s" : said;
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("not within 20 s").isLessThan(deadline);
            Thread.sleep(2);
        }
    }

    private double counter(String name) {
        return metrics.scrape(name::equals).stream()
                .flatMap(snapshot -> ((CounterSnapshot) snapshot).getDataPoints().stream())
                .mapToDouble(CounterSnapshot.CounterDataPointSnapshot::getValue)
                .sum();
    }

    private List<String> endpoints() {
        var uids = new ArrayList<String>();
        view.current().endpoints(CART).forEach((uid, _) -> uids.add(uid));
        return uids;
    }

    private static DeltaDiscoveryResponse.Builder policies() {
        return DeltaDiscoveryResponse.newBuilder().setTypeUrl(ResourceNames.AUTHORIZATION_TYPE);
    }

    private static DeltaDiscoveryResponse.Builder addresses(Object... models) {
        var response = DeltaDiscoveryResponse.newBuilder().setTypeUrl(ResourceNames.ADDRESS_TYPE);
        for (var model : models) {
            response.addResources(resource(model));
        }
        return response;
    }

    private static Resource resource(Object model) {
        var resource = Resource.newBuilder().setVersion("v1");
        var address = Address.newBuilder();
        switch (model) {
            case Workload workload -> {
                resource.setName(ResourceNames.of(workload)).addAllAliases(ResourceNames.aliases(workload));
                address.setWorkload(WorkloadMapping.toProto(workload));
            }
            case Service service -> {
                resource.setName(ResourceNames.of(service)).addAllAliases(ResourceNames.aliases(service));
                address.setService(ServiceMapping.toProto(service));
            }
            default -> throw new IllegalArgumentException("no address: " + model);
        }
        return resource.setResource(Any.newBuilder()
                        .setTypeUrl(ResourceNames.ADDRESS_TYPE)
                        .setValue(address.build().toByteString()))
                .build();
    }

    private static String uid(String name) {
        return "east//Pod/shop/" + name;
    }

    private static Service cart(@Nullable NamespacedHostname waypoint) {
        return service(
                CART,
                "10.96.0.1",
                waypoint == null
                        ? null
                        : new GatewayAddress(new GatewayAddress.Destination.ByHostname(waypoint), 15008));
    }

    private static Service gate() {
        return service(GATE, "10.96.0.2", null);
    }

    private static Service service(NamespacedHostname key, String vip, @Nullable GatewayAddress waypoint) {
        return new Service(
                key.hostname().substring(0, key.hostname().indexOf('.')),
                key,
                List.of(new ServiceAddress("", CidrBlock.host(InetAddress.ofLiteral(vip)))),
                List.of(),
                List.of(),
                waypoint,
                List.of(),
                LoadBalancing.ANY,
                Service.IpFamilies.AUTOMATIC,
                true,
                false,
                Service.Visibility.PUBLIC);
    }

    private static Workload endpoint(String name, String ip) {
        return workload(name, ip, "n2", Map.of(CART, List.of()));
    }

    private static Workload waypoint() {
        return workload("gate-1", "10.0.0.20", "n2", Map.of(GATE, List.of()));
    }

    private static Workload pod(String name, String ip) {
        return workload(name, ip, "n2", Map.of());
    }

    /// Of this node, and an endpoint of the service.
    private static Workload local(String name, String ip) {
        return workload(name, ip, "n1", Map.of(CART, List.of()));
    }

    private static Workload workload(
            String name, String ip, String node, Map<NamespacedHostname, List<ServicePort>> services) {
        return new Workload(
                uid(name),
                name,
                "shop",
                List.of(InetAddress.ofLiteral(ip)),
                "",
                "",
                Workload.TunnelProtocol.HBONE,
                "cluster.local",
                "cart",
                null,
                null,
                node,
                "cart",
                "v1",
                Workload.Type.POD,
                name,
                false,
                null,
                services,
                List.of(),
                Workload.Status.HEALTHY,
                "east",
                Locality.UNKNOWN,
                Workload.NetworkMode.STANDARD,
                1,
                Workload.Egress.ALLOW_ANY);
    }
}
