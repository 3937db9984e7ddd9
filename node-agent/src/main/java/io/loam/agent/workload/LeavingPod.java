package io.loam.agent.workload;

import io.loam.agent.pod.LocalPod;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A pod that has left the mesh and has connections open (hazard C11). One that goes on running keeps them as long as
/// it likes, half-closed ones included. One that has ended cannot end them: its network is gone, so that no FIN and no
/// reset arrives, and the privileged half says the same thing in both cases. So this looks whether the network is
/// there.
///
/// Belongs to the control loop.
final class LeavingPod {
    private static final Logger log = LoggerFactory.getLogger(LeavingPod.class);

    /// Hazard C11 gives the agent 2 s. A look takes some 50 microseconds.
    private static final long INTERVAL_MILLIS = 250;

    private final LocalPod pod;
    private final Runnable abort;
    private @Nullable ScheduledFuture<?> looking;

    /// Said once, not four times a second.
    private boolean saidThatItCannotSee;

    private LeavingPod(LocalPod pod, Runnable abort) {
        this.pod = pod;
        this.abort = abort;
    }

    /// Takes over the caller's hold on the pod and lets go when the connections have ended.
    ///
    /// @param abort ends them, once it is known that the pod has ended
    static void watch(LocalPod pod, EventLoop loop, Runnable abort) {
        var leaving = new LeavingPod(pod, abort);
        loop.execute(() -> leaving.start(loop));
    }

    private void start(EventLoop loop) {
        if (pod.hasOneHolder()) {
            pod.release();
        } else {
            looking = loop.scheduleWithFixedDelay(this::look, INTERVAL_MILLIS, INTERVAL_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    private void look() {
        boolean cutOff = false;
        try {
            cutOff = pod.isCutOff();
        } catch (IOException e) {
            if (!saidThatItCannotSee) {
                saidThatItCannotSee = true;
                log.warn(
                        "cannot see whether the pod has ended, looking every {} ms pod={} reason={}",
                        INTERVAL_MILLIS,
                        pod,
                        e.getMessage());
            }
        }
        if (cutOff) {
            log.info("pod has ended, cutting what it left open pod={}", pod);
            abort.run();
        }
        if (cutOff || pod.hasOneHolder()) {
            if (looking != null) {
                looking.cancel(false);
            }
            pod.release();
        }
    }
}
