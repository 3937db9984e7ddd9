package io.loam.agent.pod;

import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.mesh.MeshView;
import io.loam.model.workload.Workload;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Connections of pods that the control plane has not described yet wait here: a pod that has just started may
/// connect before the mesh has heard of it.
public final class WorkloadWait {
    /// As long as ztunnel waits (wire reference, 3.1).
    private static final long LONGEST_WAIT_SECONDS = 5;

    private final MeshView view;
    private final Queue<Waiter> waiters = new ConcurrentLinkedQueue<>();

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
        waiter.timeout = loop.schedule(() -> waiter.done(null), LONGEST_WAIT_SECONDS, TimeUnit.SECONDS);
        waiters.add(waiter);
        onSnapshot(view.current()); // published between the look and the add
    }

    private void onSnapshot(MeshSnapshot mesh) {
        waiters.removeIf(waiter -> {
            if (waiter.finished.get()) {
                return true;
            }
            var known = waiter.pod.workload(mesh);
            if (known == null) {
                return false;
            }
            waiter.loop.execute(() -> waiter.done(known));
            return true;
        });
    }

    private static final class Waiter {
        final LocalPod pod;
        final EventLoop loop;
        final Consumer<@Nullable Workload> next;
        final AtomicBoolean finished = new AtomicBoolean();

        @Nullable
        Future<?> timeout;

        Waiter(LocalPod pod, EventLoop loop, Consumer<@Nullable Workload> next) {
            this.pod = pod;
            this.loop = loop;
            this.next = next;
        }

        void done(@Nullable Workload workload) {
            if (finished.compareAndSet(false, true)) {
                if (timeout != null) {
                    timeout.cancel(false);
                }
                next.accept(workload);
            }
        }
    }
}
