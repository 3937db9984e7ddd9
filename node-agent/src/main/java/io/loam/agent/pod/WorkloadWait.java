package io.loam.agent.pod;

import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.mesh.MeshView;
import io.loam.model.workload.Workload;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Connections of pods that the control plane has not described yet wait here: a pod that has just started may
/// connect before the mesh has heard of it.
public final class WorkloadWait {
    /// As long as ztunnel waits (wire reference, 3.1).
    private static final long LONGEST_WAIT_SECONDS = 5;

    private final MeshView view;
    private final Set<Waiter> waiters = ConcurrentHashMap.newKeySet();

    public WorkloadWait(MeshView view) {
        this.view = view;
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
        var waiter = new Waiter(pod, loop, next);
        waiter.timeout = loop.schedule(() -> giveUp(waiter), LONGEST_WAIT_SECONDS, TimeUnit.SECONDS);
        waiters.add(waiter);
        serve(waiter, view.current()); // published between the look and the add
    }

    /// How many connections wait now.
    int waiting() {
        return waiters.size();
    }

    /// Taken out at once: while the control plane is away no snapshot comes that would.
    private void giveUp(Waiter waiter) {
        if (waiters.remove(waiter)) {
            waiter.done(null);
        }
    }

    private void onSnapshot(MeshSnapshot mesh) {
        for (var waiter : waiters) {
            serve(waiter, mesh);
        }
    }

    private void serve(Waiter waiter, MeshSnapshot mesh) {
        var known = waiter.pod.workload(mesh);
        if (known != null && waiters.remove(waiter)) {
            waiter.loop.execute(() -> waiter.done(known));
        }
    }

    private static final class Waiter {
        final LocalPod pod;
        final EventLoop loop;
        final Consumer<@Nullable Workload> next;

        @Nullable
        Future<?> timeout;

        Waiter(LocalPod pod, EventLoop loop, Consumer<@Nullable Workload> next) {
            this.pod = pod;
            this.loop = loop;
            this.next = next;
        }

        /// On `loop`, once: by whoever took it out of the set.
        void done(@Nullable Workload workload) {
            if (timeout != null) {
                timeout.cancel(false);
            }
            next.accept(workload);
        }
    }
}
