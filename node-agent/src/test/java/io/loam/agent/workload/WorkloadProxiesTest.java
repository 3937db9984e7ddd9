package io.loam.agent.workload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.agent.pod.LocalPod;
import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.zds.HeldListeners;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.config.SocketConfig;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Wire reference, 6.4, rules 3, 6 and 7: which pods are served after which messages. A namespace is a
/// descriptor with an inode here, since nothing is opened in it.
class WorkloadProxiesTest {
    private static final SocketConfig SOCKETS =
            new SocketConfig(1337, true, true, true, SocketConfig.KeepAlive.DEFAULT, Duration.ofSeconds(10));

    @TempDir
    private Path folder = Path.of("");

    private final Readiness readiness = new Readiness();
    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final List<String> events = new ArrayList<>();
    private final Map<String, Exception> failures = new HashMap<>();
    private final CompletableFuture<Void> accepts = new CompletableFuture<>();
    private final WorkloadProxies pods = new WorkloadProxies(SOCKETS, this::start, Set.of("u13"), readiness, registry);

    @Test
    void servesAPodFromItsAddToItsDel() throws Exception {
        pods.connected();
        pods.add("u1", info("cart"), netns("a"), null);
        pods.snapshotComplete();

        assertThat(up()).containsExactly("u1");

        pods.remove("u1");

        assertThat(up()).isEmpty();
        assertThat(events).containsExactly("start u1", "stop u1");
        assertThat(counter("workload_manager_proxies_started")).isEqualTo(1);
        assertThat(counter("workload_manager_proxies_stopped")).isEqualTo(1);
    }

    /// Hazard P1: who replaces an agent ends the old one when the new one is ready.
    @Test
    void isReadyOnlyWhenThePodsThereWereAtTheStartAreServed() throws Exception {
        pods.connected();
        pods.add("u1", info("cart"), netns("a"), null);
        pods.snapshotComplete();

        assertThat(readiness.reply().body()).isEqualTo("not ready, pending: listeners\n");

        accepts.complete(null);
        assertThat(readiness.isReady()).isTrue();
    }

    /// An agent that was restarted hears of all pods before the snapshot: they are mentioned, so they stay.
    @Test
    void podsAddedBeforeTheSnapshotOutliveIt() throws Exception {
        pods.connected();
        pods.add("u1", info("cart"), netns("a"), null);
        pods.add("u2", info("web"), netns("b"), null);
        pods.snapshotComplete();

        assertThat(up()).containsExactlyInAnyOrder("u1", "u2");
        assertThat(gauge("workload_manager_active_proxy_count")).isEqualTo(2);
    }

    @Test
    void beingToldAgainOfTheSameNamespaceChangesNothing() throws Exception {
        pods.add("u1", info("cart"), netns("a"), null);
        pods.add("u1", info("cart"), netns("a"), null);

        assertThat(events).containsExactly("start u1");
    }

    @Test
    void anotherNamespaceUnderTheSameUidReplacesTheInstance() throws Exception {
        pods.connected();
        pods.add("u1", info("cart"), netns("a"), null);
        pods.add("u1", info("cart"), netns("b"), null);
        pods.snapshotComplete();

        assertThat(events).containsExactly("start u1", "stop u1", "start u1");
        assertThat(up()).containsExactly("u1");
    }

    @Test
    void onReconnectWhatIsNotMentionedLeavesAtTheSnapshotAndNotBefore() throws Exception {
        pods.connected();
        pods.add("u1", info("cart"), netns("a"), null);
        pods.add("u2", info("web"), netns("b"), null);
        pods.add("u3", info("db"), netns("c"), null);
        pods.snapshotComplete();

        pods.connected();
        pods.keep("u1");
        pods.add("u2", info("web"), netns("b"), null);
        assertThat(up()).hasSize(3);
        pods.snapshotComplete();

        assertThat(up()).containsExactlyInAnyOrder("u1", "u2");
        assertThat(events).endsWith("stop u3");
    }

    @Test
    void keepOfAPodThatIsNotThereIsRefused() {
        assertThatThrownBy(() -> pods.keep("u9"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("u9");
    }

    @Test
    void delOfAPodThatIsNotThereDoesNothing() {
        pods.remove("u9");

        assertThat(events).isEmpty();
    }

    @Test
    void aPodWhoseListenersCannotBeOpenedStaysPendingUntilARetrySucceeds() throws Exception {
        pods.snapshotComplete();
        failures.put("u1", new IOException("port 15008: address in use"));

        assertThatThrownBy(() -> pods.add("u1", info("cart"), netns("a"), null)).hasMessageContaining("15008");

        assertThat(readiness.reply().body()).isEqualTo("not ready, pending: workload proxies\n");
        assertThat(gauge("workload_manager_pending_proxy_count")).isEqualTo(1);
        pods.retryPending();
        assertThat(up()).isEmpty();

        failures.clear();
        pods.retryPending();

        assertThat(up()).containsExactly("u1");
        assertThat(readiness.isReady()).isTrue();
        assertThat(gauge("workload_manager_pending_proxy_count")).isZero();
    }

    @Test
    void aBugWithOnePodKeepsItPendingAndRetriesTheOthers() throws Exception {
        failures.put("u1", new IllegalStateException("bug"));
        failures.put("u2", new IOException("not yet"));
        assertThatThrownBy(() -> pods.add("u1", info("cart"), netns("a"), null)).hasMessage("bug");
        assertThatThrownBy(() -> pods.add("u2", info("web"), netns("b"), null)).hasMessage("not yet");

        failures.remove("u2");
        pods.retryPending();

        assertThat(up()).containsExactly("u2");
        assertThat(pods.states()).hasSize(2);
    }

    @Test
    void aPendingPodThatLeavesIsNotTriedAgain() throws Exception {
        pods.snapshotComplete();
        failures.put("u1", new IOException("not yet"));
        assertThatThrownBy(() -> pods.add("u1", info("cart"), netns("a"), null)).hasMessage("not yet");

        pods.remove("u1");
        failures.clear();
        pods.retryPending();

        assertThat(pods.states()).isEmpty();
        assertThat(readiness.isReady()).isTrue();
    }

    @Test
    void aDrainStopsEveryPodAndTakesNoNewOne() throws Exception {
        pods.add("u1", info("cart"), netns("a"), null);

        pods.drain();

        assertThat(events).endsWith("drain u1");
        assertThatThrownBy(() -> pods.add("u2", info("web"), netns("b"), null)).hasMessageContaining("shutting down");
    }

    @Test
    void tunnelsOfThePodThatWasNamedAreRetired() throws Exception {
        pods.add("u1", info("cart"), netns("a"), null);
        pods.add("u2", info("web"), netns("b"), null);

        assertThat(pods.retireTunnels("shop/web-1")).isTrue();
        assertThat(pods.retireTunnels("web-1")).isFalse();

        assertThat(events).endsWith("retire u2").doesNotContain("retire u1");
    }

    /// Hazards P1 and P4: whoever keeps listeners is given ours, once; what it brings is taken.
    @Test
    void handsOverItsListenersToWhoeverKeepsThemAndHasNotGotThem() throws Exception {
        Files.createFile(folder.resolve("listener"));

        var first = pods.add("u1", info("cart"), netns("a"), new HeldListeners());
        try (first) {
            assertThat(first).isNotNull();
            assertThat(Objects.requireNonNull(first).ports()).containsOnly(15001);
        }
        assertThat(pods.add("u1", info("cart"), netns("a"), kept())).isNull();
        assertThat(pods.add("u2", info("web"), netns("b"), kept())).isNull();
        assertThat(events).containsExactly("start u1", "adopt u1", "start u2 held");
    }

    /// What was kept and is not taken must not stay open here.
    @Test
    void closesWhatItDoesNotTake() throws Exception {
        Files.createFile(folder.resolve("listener"));
        var kept = kept();
        var descriptor = kept.on(15001).getFirst();

        pods.drain();

        assertThatThrownBy(() -> pods.add("u1", info("cart"), netns("a"), kept)).hasMessageContaining("shutting down");
        assertThatThrownBy(descriptor::number).hasMessageContaining("closed");
    }

    /// A try of our own would open listeners beside those that are kept, and their connections would be lost.
    @Test
    void aPendingPodWhoseListenersAreKeptWaitsForTheNextOffer() throws Exception {
        pods.snapshotComplete();
        Files.createFile(folder.resolve("listener"));
        failures.put("u1", new IOException("not yet"));
        assertThatThrownBy(() -> pods.add("u1", info("cart"), netns("a"), kept()))
                .hasMessage("not yet");
        failures.clear();

        pods.retryPending();
        assertThat(up()).isEmpty();

        assertThat(pods.add("u1", info("cart"), netns("a"), kept())).isNull();
        assertThat(up()).containsExactly("u1");
        assertThat(readiness.isReady()).isTrue();
    }

    /// Hazard P5: nothing is opened, and nothing is kept either, so that who connects is refused.
    @Test
    void aPodThatAgentsDiedOfIsNotServed() throws Exception {
        Files.createFile(folder.resolve("listener"));
        pods.connected();

        try (var toKeep = pods.add("u13", info("poison"), netns("p"), kept())) {
            assertThat(toKeep).isNotNull();
            assertThat(Objects.requireNonNull(toKeep).isEmpty()).isTrue();
        }
        pods.keep("u13");
        pods.snapshotComplete();

        assertThat(events).isEmpty();
        assertThat(readiness.isReady()).isTrue();
        assertThat(gauge("loam_isolated_pods")).isEqualTo(1);
    }

    /// The listeners would be closed by nobody.
    @Test
    void afterADrainAPendingPodIsNotTriedAgain() throws Exception {
        failures.put("u1", new IOException("not yet"));
        assertThatThrownBy(() -> pods.add("u1", info("cart"), netns("a"), null)).hasMessage("not yet");
        pods.drain();

        failures.clear();
        pods.retryPending();

        assertThat(up()).isEmpty();
    }

    private HeldListeners kept() throws IOException {
        var kept = new HeldListeners();
        kept.add(15001, FileDescriptor.open(folder.resolve("listener")));
        return kept;
    }

    private WorkloadProxies.RunningProxy start(LocalPod pod, HeldListeners held) throws IOException {
        switch (failures.get(pod.uid())) {
            case null -> {}
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case Exception e -> throw new AssertionError(e);
        }
        events.add("start " + pod.uid() + (held.isEmpty() ? "" : " held"));
        return new WorkloadProxies.RunningProxy() {
            @Override
            public LocalPod pod() {
                return pod;
            }

            @Override
            public void adopt(HeldListeners more) {
                events.add("adopt " + pod.uid());
            }

            @Override
            public HeldListeners listeners(boolean datagrams) throws IOException {
                var own = new HeldListeners();
                own.add(15001, FileDescriptor.open(folder.resolve("listener")));
                return own;
            }

            @Override
            public CompletionStage<Void> accepts() {
                return accepts.minimalCompletionStage();
            }

            @Override
            public void drain() {
                events.add("drain " + pod.uid());
            }

            @Override
            public boolean isInUse() {
                return false;
            }

            @Override
            public void stop() {
                events.add("stop " + pod.uid());
                pod.release();
            }

            @Override
            public void retireTunnels() {
                events.add("retire " + pod.uid());
            }
        };
    }

    private List<String> up() {
        return pods.states().stream()
                .filter(WorkloadProxies.PodState::up)
                .map(state -> state.pod().uid())
                .toList();
    }

    private Netns netns(String name) throws IOException {
        var file = folder.resolve(name);
        if (!Files.exists(file)) {
            Files.createFile(file);
        }
        return Netns.open(file);
    }

    private static WorkloadInfo info(String name) {
        return new WorkloadInfo(name + "-1", "shop", name);
    }

    private double counter(String name) {
        return registry.scrape(name::equals).stream()
                .mapToDouble(found ->
                        ((CounterSnapshot) found).getDataPoints().getFirst().getValue())
                .sum();
    }

    private double gauge(String name) {
        return registry.scrape(name::equals).stream()
                .mapToDouble(found ->
                        ((GaugeSnapshot) found).getDataPoints().getFirst().getValue())
                .sum();
    }
}
