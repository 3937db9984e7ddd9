package io.loam.agent.pod;

import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.mesh.MeshView;
import io.loam.model.workload.Workload;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// Connections wait here for what the control plane has not told us yet: a pod that has just started may connect
/// before the mesh has heard of it, and the name of a policy may come a moment before the policy.
///
/// Whoever waits is forgotten when its time is over, also while no snapshot comes: with the control plane away, an
/// application that tries again and again must not pile up here.
public final class WorkloadWait {
    /// As long as ztunnel waits (wire reference, 3.1).
    private static final Duration WORKLOAD = Duration.ofSeconds(5);

    /// A control plane sends workloads and policies of one change right after each other (istiod in this order), so
    /// this is only reached when the policy does not come.
    private static final Duration POLICIES = Duration.ofSeconds(2);

    private final MeshView view;
    private final Set<Waiter> waiters = ConcurrentHashMap.newKeySet();

    private final Duration workloadLimit;
    private final Duration policiesLimit;

    public WorkloadWait(MeshView view) {
        this(view, WORKLOAD, POLICIES);
    }

    public WorkloadWait(MeshView view, Duration workloadLimit, Duration policiesLimit) {
        this.view = view;
        this.workloadLimit = workloadLimit;
        this.policiesLimit = policiesLimit;
        view.addListener(this::onSnapshot);
    }

    /// Calls `next` on `loop`, the current one: at once if the pod is known, later when it becomes known, or with
    /// null when that takes too long.
    public void await(LocalPod pod, EventLoop loop, Consumer<@Nullable Workload> next) {
        var known = pod.workload(view.current());
        if (known != null) {
            next.accept(known);
            return;
        }
        await(mesh -> pod.workload(mesh) != null, workloadLimit, loop, () -> next.accept(pod.workload(view.current())));
    }

    /// Calls `next` on `loop`, the current one, when every policy that the pod names is known, or when that takes too
    /// long: whoever is called looks again.
    public void awaitPolicies(LocalPod pod, EventLoop loop, Runnable next) {
        await(
                mesh -> {
                    var known = pod.workload(mesh);
                    return known != null && mesh.policiesFor(known).unknown().isEmpty();
                },
                policiesLimit,
                loop,
                next);
    }

    /// Connections that wait now.
    int waiting() {
        return waiters.size();
    }

    /// Calls `next` on `loop`, the current one, when `answered` is true of the mesh, or after `limit`: whoever
    /// is called looks again.
    ///
    /// @param answered asked of each snapshot, and with {@link #lookAgain}, on the threads of those
    void await(Predicate<MeshSnapshot> answered, Duration limit, EventLoop loop, Runnable next) {
        if (answered.test(view.current())) {
            next.run();
            return;
        }
        var waiter = new Waiter(answered, loop, next);
        waiters.add(waiter);
        waiter.timeout = loop.schedule(() -> end(waiter), limit.toMillis(), TimeUnit.MILLISECONDS);
        if (answered.test(view.current())) { // published between the look and the add
            loop.execute(() -> end(waiter));
        }
    }

    /// Something that is waited for may be true of the mesh as it is. Any thread.
    void lookAgain() {
        onSnapshot(view.current());
    }

    private void onSnapshot(MeshSnapshot mesh) {
        for (var waiter : waiters) {
            if (waiter.answered.test(mesh)) {
                waiter.loop.execute(() -> end(waiter));
            }
        }
    }

    /// On the waiter's loop; the first call counts.
    private void end(Waiter waiter) {
        if (waiters.remove(waiter)) {
            if (waiter.timeout != null) {
                waiter.timeout.cancel(false);
            }
            waiter.next.run();
        }
    }

    /// Compared by identity.
    private static final class Waiter {
        final Predicate<MeshSnapshot> answered;
        final EventLoop loop;
        final Runnable next;

        /// Belongs to the loop.
        @Nullable
        Future<?> timeout;

        Waiter(Predicate<MeshSnapshot> answered, EventLoop loop, Runnable next) {
            this.answered = answered;
            this.loop = loop;
            this.next = next;
        }
    }
}
