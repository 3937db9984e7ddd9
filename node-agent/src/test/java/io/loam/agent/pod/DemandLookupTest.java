package io.loam.agent.pod;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.GatewayAddress;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshView;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.runtime.xds.AddressDemand;
import io.loam.runtime.xds.AddressDemand.Answer;
import io.loam.runtime.xds.AddressDemand.State;
import io.loam.runtime.xds.SpokenAddresses;
import io.netty.channel.embedded.EmbeddedChannel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Connections that wait for what the control plane says about their destination. The clock is moved by hand.
class DemandLookupTest {
    private static final NamespacedHostname GATE = new NamespacedHostname("shop", "gate.shop.svc.cluster.local");
    private static final String KNOWN = "known";

    private final MeshView view = new MeshView();
    private final WorkloadWait waits = new WorkloadWait(view);
    private final AddressDemand demand = new AddressDemand(new PrometheusRegistry(), () -> 0);
    private final SpokenAddresses controlPlane = new SpokenAddresses(demand);
    private final DemandLookup lookup = new DemandLookup(waits, view, demand, "");
    private final LocalPod cart = TestPods.pod("cart");
    private final EmbeddedChannel loop = new EmbeddedChannel();
    private final List<String> said = new ArrayList<>();

    @BeforeEach
    void stopTheClock() {
        loop.freezeTime();
    }

    @Test
    void everybodyWaitsForOneAnswer() {
        for (int i = 0; i < 3; i++) {
            connect("10.0.0.8");
        }
        assertThat(controlPlane.asked()).containsExactly("/10.0.0.8");
        assertThat(said).isEmpty();

        view.publish(view.current()
                .apply(MeshDelta.of(List.of(TestPods.workload("web", "10.0.0.8")), List.of(), List.of())));
        controlPlane.has("/10.0.0.8");
        loop.runPendingTasks();

        assertThat(said).containsExactly(KNOWN, KNOWN, KNOWN);
        assertThat(waits.waiting()).isZero();
    }

    @Test
    void whoComesLaterDoesNotWait() {
        connect("10.0.0.8");
        controlPlane.has("/10.0.0.8");
        loop.runPendingTasks();
        said.clear();

        connect("10.0.0.8");

        assertThat(said).containsExactly(KNOWN);
        assertThat(controlPlane.asked()).containsExactly("/10.0.0.8");
    }

    @Test
    void thatNobodyHasItIsKnownToo() {
        connect("203.0.113.1");

        controlPlane.hasNot("/203.0.113.1");
        loop.runPendingTasks();

        assertThat(said).containsExactly(KNOWN);
    }

    @Test
    void afterFiveSecondsItIsSaidWhatWasNotHeard() {
        connect("10.0.0.8");

        loop.advanceTimeBy(4_999, TimeUnit.MILLISECONDS);
        loop.runScheduledPendingTasks();
        assertThat(said).isEmpty();
        loop.advanceTimeBy(1, TimeUnit.MILLISECONDS);
        loop.runScheduledPendingTasks();

        assertThat(said)
                .containsExactly(
                        "the control plane has not said within 5000 ms what /10.0.0.8 is (it is not connected)");
        assertThat(waits.waiting()).isZero();
    }

    /// A waypoint that was not heard of would look like one that is not there.
    @Test
    void theWaypointOfAServiceIsWaitedForAsWell() {
        connect("10.96.0.1");
        view.publish(view.current().apply(MeshDelta.of(List.of(), List.of(behindGate()), List.of())));
        controlPlane.has("/10.96.0.1");
        loop.runPendingTasks();
        assertThat(said).isEmpty();

        controlPlane.leadsTo(GATE.toString());
        controlPlane.has(GATE.toString());
        loop.runPendingTasks();

        assertThat(said).containsExactly(KNOWN);
    }

    @Test
    void anAddressInUseIsHeldUntilTheLastConnectionEnds() {
        var first = connect("10.0.0.8");
        var second = connect("10.0.0.8");
        lookup.mention(InetAddress.ofLiteral("10.0.0.8"));
        assertThat(demand.states()).containsEntry("/10.0.0.8", new State(Answer.PENDING, 2));

        first.release();
        second.release();

        assertThat(demand.states()).containsEntry("/10.0.0.8", new State(Answer.PENDING, 0));
    }

    @Test
    void whatNeverLeavesThePodIsNotAskedFor() {
        connect("127.0.0.1");
        connect("::1");

        assertThat(said).containsExactly(KNOWN, KNOWN);
        assertThat(controlPlane.asked()).isEmpty();
    }

    private AddressLookup.Use connect(String address) {
        var use = Objects.requireNonNull(lookup.use(cart, InetAddress.ofLiteral(address)));
        use.await(loop.eventLoop(), missing -> said.add(missing == null ? KNOWN : missing));
        return use;
    }

    private static Service behindGate() {
        return new Service(
                "cart",
                new NamespacedHostname("shop", "cart.shop.svc.cluster.local"),
                List.of(new ServiceAddress("", CidrBlock.host(InetAddress.ofLiteral("10.96.0.1")))),
                List.of(),
                List.of(),
                new GatewayAddress(new GatewayAddress.Destination.ByHostname(GATE), 15008),
                List.of(),
                LoadBalancing.ANY,
                Service.IpFamilies.AUTOMATIC,
                true,
                false,
                Service.Visibility.PUBLIC);
    }
}
