package io.loam.agent.connections;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.pod.LocalPod;
import io.loam.agent.pod.TestPods;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.failure.ErrorCode;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshView;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.Verdict;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.runtime.accesslog.AccessLog;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.config.LogConfig;
import io.loam.runtime.metrics.TrafficMetrics;
import io.loam.runtime.time.SystemTimer;
import io.netty.channel.EventLoop;
import io.netty.channel.embedded.EmbeddedChannel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Hazard I16: policies that change while a connection is checked, or later.
class ConnectionRegistryTest {
    private static final InetAddress POD_ADDRESS = InetAddress.ofLiteral("10.0.0.7");
    private static final AuthorizationPolicy DENY_ALL = new AuthorizationPolicy(
            "deny-all", "shop", Scope.WORKLOAD_SELECTOR, Action.DENY, List.of(new Rule(List.of())), false);

    private final MeshView view = new MeshView();
    private final ConnectionRegistry registry = ConnectionFixture.registry(100_000);
    private final LocalPod cart = TestPods.pod("cart");
    private final LocalPod web = TestPods.pod("web");
    private final EmbeddedChannel loop = new EmbeddedChannel();
    private final List<String> cuts = new ArrayList<>();
    private final PrometheusRegistry metrics = new PrometheusRegistry();
    private final AccessLog accessLog = new AccessLog(LogConfig.Format.PLAIN, OutputStream.nullOutputStream(), metrics);
    private final Telemetry telemetry = new Telemetry(new TrafficMetrics(metrics), accessLog, new SystemTimer());

    @BeforeEach
    void listen() {
        view.addListener(registry::onSnapshot);
        view.publish(view.current()
                .apply(MeshDelta.of(
                        List.of(TestPods.workload("cart", "10.0.0.7"), TestPods.workload("web", "10.0.0.8")),
                        List.of(),
                        List.of())));
    }

    @AfterEach
    void close() {
        accessLog.close();
    }

    @Test
    void aNewPolicyCutsWhatItDeniesAndNamesItself() {
        open(cart, "cart");
        open(web, "web");

        publish(policy(DENY_ALL).upsert(TestPods.workload("cart", "10.0.0.7", "shop/deny-all")));

        assertThat(cuts)
                .containsExactly("cart POLICY_CHANGED connection closed due to policy change:"
                        + " denied by shop/deny-all rule 0");
    }

    @Test
    void aPolicyThatAWorkloadNamesOnlyNowCutsToo() {
        publish(policy(DENY_ALL));
        open(cart, "cart");
        assertThat(cuts).isEmpty();

        publish(MeshDelta.builder().upsert(TestPods.workload("cart", "10.0.0.7", "shop/deny-all")));

        assertThat(cuts).hasSize(1);
    }

    /// Workloads and policies are different messages: in between, the name of a policy is known and the policy is not.
    @Test
    void aPolicyOnItsWayCutsNobodyBeforeItIsThere() {
        open(cart, "cart");

        publish(MeshDelta.builder().upsert(TestPods.workload("cart", "10.0.0.7", "shop/deny-all")));
        assertThat(cuts).isEmpty();

        publish(policy(DENY_ALL));

        assertThat(cuts).hasSize(1);
    }

    /// 5,000 services may come and go without anybody asking 10,000 connections again.
    @Test
    void aChangeThatTouchesNoPolicyAsksNobody() {
        publish(policy(DENY_ALL).upsert(TestPods.workload("cart", "10.0.0.7", "shop/deny-all")));
        open(cart, "cart"); // would be cut if it were asked

        publish(MeshDelta.builder().upsert(TestPods.workload("new", "10.0.0.9")));
        publish(MeshDelta.builder().upsert(TestPods.workload("cart", "10.0.0.70", "shop/deny-all")));

        assertThat(cuts).isEmpty();
    }

    @Test
    void outboundConnectionsAndThoseOfLeavingPodsAreLeftAlone() {
        open(cart, "outbound", null);
        open(web, "web");

        publish(policy(new AuthorizationPolicy(
                        "all", "istio-system", Scope.GLOBAL, Action.DENY, List.of(new Rule(List.of())), false))
                .removeWorkload(TestPods.workload("web", "10.0.0.8").uid()));

        assertThat(cuts).isEmpty();
    }

    @Test
    void aPodThatComesBackIsAskedWhateverTheMeshSaidMeanwhile() {
        publish(policy(DENY_ALL));
        open(web, "web");
        publish(MeshDelta.builder()
                .removeWorkload(TestPods.workload("web", "10.0.0.8").uid()));

        publish(MeshDelta.builder().upsert(TestPods.workload("web", "10.0.0.8", "shop/deny-all")));

        assertThat(cuts).hasSize(1);
    }

    @Test
    void theEndOfADrainCutsEverything() {
        open(cart, "cart");
        open(cart, "outbound", null);

        registry.abortAll("drain deadline reached");
        loop.runPendingTasks();

        assertThat(cuts)
                .containsExactlyInAnyOrder(
                        "cart DRAINED drain deadline reached", "outbound DRAINED drain deadline reached");
    }

    /// Registers and checks connections as the handlers do while the policy flips: whoever passed the check under the
    /// policy is cut by the re-evaluation.
    @Test
    void noConnectionSurvivesThePolicyThatDeniesIt() throws Exception {
        int flips = Integer.getInteger("loam.test.policyFlips", 2_000);
        var alive = ConcurrentHashMap.<OpenConnection>newKeySet();
        var ended = new AtomicBoolean();
        var checked = new AtomicInteger();
        var started = new CountDownLatch(1);
        var direct = new DirectLoop();
        var accepting = Thread.ofPlatform().start(() -> {
            while (!ended.get()) {
                var connection = new OpenConnection[1];
                var opened = connection(cart, attributes(), direct, (_, _) -> alive.remove(connection[0]));
                connection[0] = opened;
                alive.add(opened);
                opened.begin(() -> {
                    var mesh = view.current();
                    var workload = cart.workload(mesh);
                    if (workload == null
                            || !Authorizer.decide(mesh.policiesFor(workload), attributes())
                                    .allows()) {
                        opened.fail(ErrorCode.POLICY_DENIED, "denied");
                    }
                });
                checked.incrementAndGet();
                started.countDown();
            }
        });
        started.await();
        for (int i = 0; i < flips; i++) {
            publish(MeshDelta.builder().removePolicy(DENY_ALL.key()).upsert(TestPods.workload("cart", "10.0.0.7")));
            publish(policy(DENY_ALL).upsert(TestPods.workload("cart", "10.0.0.7", DENY_ALL.key())));
        }
        ended.set(true);
        accepting.join();

        assertThat(alive).isEmpty();
        System.out.printf(
                "hazard I16: %d policy flips, %d connections checked meanwhile, 0 survivors%n", flips, checked.get());
    }

    @Test
    void anEgressThatClosesCutsWhatLeavesForTheUnknown() {
        leave(cart, "outside", "203.0.113.1");
        leave(cart, "known", "10.0.0.8");
        leave(cart, "itself", "127.0.0.1");
        leave(web, "other", "203.0.113.1");

        publish(MeshDelta.builder().upsert(TestPods.closed("cart", "10.0.0.7")));

        assertThat(cuts)
                .singleElement()
                .asString()
                .startsWith("outside NOT_IN_REGISTRY connection closed due to egress");
        publish(MeshDelta.builder().upsert(TestPods.workload("other", "10.0.0.9")));
        assertThat(cuts).as("asked once").hasSize(1);
    }

    /// As when a ServiceEntry is deleted: what only it made known is cut, what belongs to others as well is
    /// not.
    @Test
    void whatTheMeshForgetsIsCutForThoseWhoMayCallNothingElse() {
        var partner = service("partner", "203.0.113.0/24");
        var shared = service("shared", "198.51.100.7");
        var twin = service("twin", "198.51.100.7");
        publish(MeshDelta.builder()
                .upsert(TestPods.closed("cart", "10.0.0.7"))
                .upsert(partner)
                .upsert(shared)
                .upsert(twin));
        leave(cart, "partner", "203.0.113.1");
        leave(cart, "shared", "198.51.100.7");
        leave(cart, "known", "10.0.0.8");
        leave(web, "open", "203.0.113.1");

        publish(MeshDelta.builder().removeService(partner.key()).removeService(shared.key()));

        assertThat(cuts)
                .singleElement()
                .asString()
                .startsWith("partner NOT_IN_REGISTRY connection closed due to egress");
        publish(MeshDelta.builder().upsert(service("twin", "198.51.100.8")));
        assertThat(cuts).as("a service that has another address now").hasSize(2);
        publish(MeshDelta.builder()
                .removeWorkload(TestPods.workload("web", "10.0.0.8").uid()));
        assertThat(cuts)
                .as("a workload that is gone")
                .hasSize(3)
                .last()
                .asString()
                .startsWith("known");
    }

    private static Service service(String name, String address) {
        return new Service(
                name,
                new NamespacedHostname("shop", name + ".example.com"),
                List.of(new ServiceAddress("", CidrBlock.parse(address))),
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

    private void leave(LocalPod pod, String name, String address) {
        var connection =
                connection(pod, null, loop.eventLoop(), (code, reason) -> cuts.add(name + " " + code + " " + reason));
        connection.leavesFor(new InetSocketAddress(InetAddress.ofLiteral(address), 443));
        connection.begin(() -> {});
    }

    @Test
    void verdictsNameWhoDecided() {
        assertThat(ConnectionRegistry.describe(new Verdict.Allowed(""))).isEqualTo("no policy applies");
        assertThat(ConnectionRegistry.describe(new Verdict.Allowed("shop/a"))).isEqualTo("allowed by shop/a");
        assertThat(ConnectionRegistry.describe(new Verdict.Denied("shop/d", 2))).isEqualTo("denied by shop/d rule 2");
        assertThat(ConnectionRegistry.describe(new Verdict.NotMatched(2, List.of("shop/a", "shop/b"))))
                .isEqualTo("none of 2 allow policies matched: shop/a, shop/b");
        assertThat(ConnectionRegistry.describe(new Verdict.NotMatched(4, List.of("shop/a", "shop/b", "shop/c"))))
                .isEqualTo("none of 4 allow policies matched: shop/a, shop/b, shop/c, …");
    }

    private void open(LocalPod pod, String name) {
        open(pod, name, attributes());
    }

    private void open(LocalPod pod, String name, @Nullable ConnectionAttributes attributes) {
        connection(pod, attributes, loop.eventLoop(), (code, reason) -> cuts.add(name + " " + code + " " + reason))
                .begin(() -> {});
    }

    private OpenConnection connection(
            LocalPod pod, @Nullable ConnectionAttributes attributes, EventLoop on, BiConsumer<ErrorCode, String> cut) {
        return new OpenConnection(registry, pod, report(), attributes, on, new OpenConnection.Caller() {
            @Override
            public void refuse(ErrorCode code, String reason) {
                cut.accept(code, reason);
            }

            @Override
            public boolean holdsSocket() {
                return true;
            }

            @Override
            public void handOver() {}
        });
    }

    private static ConnectionAttributes attributes() {
        return new ConnectionAttributes(
                new SpiffeId("cluster.local", "shop", "web"), InetAddress.ofLiteral("10.0.0.8"), POD_ADDRESS, 8080);
    }

    private ConnectionReport report() {
        return new ConnectionReport(
                telemetry, Direction.INBOUND, new InetSocketAddress(InetAddress.ofLiteral("10.0.0.8"), 40000));
    }

    private static MeshDelta.Builder policy(AuthorizationPolicy policy) {
        return MeshDelta.builder().upsert(policy);
    }

    private void publish(MeshDelta.Builder delta) {
        view.publish(view.current().apply(delta.build()));
        loop.runPendingTasks();
    }

    /// Cuts on the publishing thread, so that the end of a publication is the end of its cuts.
    private static final class DirectLoop extends io.netty.channel.DefaultEventLoop {
        @Override
        public void execute(@Nullable Runnable task) {
            if (task != null) {
                task.run();
            }
        }
    }
}
