package io.loam.agent.pod;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshView;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.workload.Workload;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class WorkloadWaitTest {
    private final MeshView view = new MeshView();
    private final WorkloadWait wait = new WorkloadWait(view);
    private final LocalPod cart = TestPods.pod("cart");
    private final EmbeddedChannel loop = new EmbeddedChannel();
    private final List<Optional<Workload>> answers = new ArrayList<>();

    @BeforeEach
    void stopTheClock() {
        loop.freezeTime();
    }

    @Test
    void aKnownPodIsAnsweredAtOnce() {
        publish("cart");

        ask();

        assertThat(answers)
                .singleElement()
                .satisfies(found -> assertThat(found.orElseThrow().name()).isEqualTo("cart"));
        assertThat(wait.waiting()).isZero();
    }

    @Test
    void anUnknownPodIsAnsweredOnceTheMeshHearsOfIt() {
        ask();
        publish("web");
        loop.runPendingTasks();
        assertThat(answers).isEmpty();

        publish("cart");
        loop.runPendingTasks();

        assertThat(answers).singleElement().satisfies(found -> assertThat(found).isPresent());
        assertThat(wait.waiting()).isZero();
    }

    @Test
    void afterFiveSecondsTheAnswerIsThatNobodyKnows() {
        ask();

        loop.advanceTimeBy(4_999, TimeUnit.MILLISECONDS);
        loop.runScheduledPendingTasks();
        assertThat(answers).isEmpty();
        loop.advanceTimeBy(1, TimeUnit.MILLISECONDS);
        loop.runScheduledPendingTasks();

        assertThat(answers).containsExactly(Optional.empty());
    }

    /// While the control plane is away nothing but the timeout takes them out: a pod that nobody describes and that
    /// connects in a loop must not fill the memory.
    @Test
    void connectionsThatGaveUpAreForgotten() {
        for (int i = 0; i < 1_000; i++) {
            ask();
        }
        assertThat(wait.waiting()).isEqualTo(1_000);

        loop.advanceTimeBy(5, TimeUnit.SECONDS);
        loop.runScheduledPendingTasks();

        assertThat(wait.waiting()).isZero();
        assertThat(answers).hasSize(1_000);
    }

    @Test
    void eachConnectionIsAnsweredOnce() {
        ask();
        publish("cart"); // the answer is on its way to the loop when the time is over

        loop.advanceTimeBy(5, TimeUnit.SECONDS);
        loop.runScheduledPendingTasks();
        loop.runPendingTasks();

        assertThat(answers).singleElement().satisfies(found -> assertThat(found).isPresent());
    }

    /// istiod sends a change of a workload's list of policies before the new policy.
    @Test
    void aPolicyThatIsNamedAndNotThereIsWaitedFor() {
        var calls = askForPolicies();
        assertThat(calls).isEmpty();

        view.publish(view.current()
                .apply(MeshDelta.builder()
                        .upsert(new AuthorizationPolicy(
                                "late", "shop", Scope.WORKLOAD_SELECTOR, Action.DENY, List.of(), false))
                        .build()));
        loop.runPendingTasks();

        assertThat(calls).containsExactly(1);
        assertThat(wait.waiting()).isZero();
    }

    @Test
    void aPolicyThatDoesNotComeIsGivenUpAfterTwoSeconds() {
        var calls = askForPolicies();

        loop.advanceTimeBy(2, TimeUnit.SECONDS);
        loop.runScheduledPendingTasks();

        assertThat(calls).containsExactly(0);
        assertThat(wait.waiting()).isZero();
    }

    /// @return how many policies were known at each call
    private List<Integer> askForPolicies() {
        view.publish(view.current()
                .apply(MeshDelta.of(
                        List.of(TestPods.workload("cart", "10.0.0.7", "shop/late")), List.of(), List.of())));
        var calls = new ArrayList<Integer>();
        wait.awaitPolicies(
                cart,
                loop.eventLoop(),
                () -> calls.add(view.current().policies().size()));
        loop.runPendingTasks();
        return calls;
    }

    private void ask() {
        wait.await(cart, loop.eventLoop(), found -> answers.add(Optional.ofNullable(found)));
    }

    private void publish(String name) {
        view.publish(
                view.current().apply(MeshDelta.of(List.of(TestPods.workload(name, "10.0.0.7")), List.of(), List.of())));
    }
}
