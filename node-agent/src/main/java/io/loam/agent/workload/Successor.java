package io.loam.agent.workload;

import io.loam.agent.pod.LocalPod;
import io.loam.runtime.admin.Readiness;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// This agent beside the one that it is to replace, and the pods that it leaves to that one because it could
/// only refuse their connections (hazard P1). Thread-safe.
public final class Successor {
    private static final Logger log = LoggerFactory.getLogger(Successor.class);

    /// What the readiness page says then, before the pod: whoever replaces agents can look for it.
    public static final String LEFT = "left to the agent before";

    private final BooleanSupplier predecessorLives;
    private final Readiness readiness;

    /// @param predecessorLives asked on event loops, some times a second while a pod is left to it
    public Successor(BooleanSupplier predecessorLives, Readiness readiness) {
        this.predecessorLives = predecessorLives;
        this.readiness = readiness;
    }

    boolean hasPredecessor() {
        return predecessorLives.getAsBoolean();
    }

    /// @param what waits there: connections or queries
    /// @param lacking what this agent lacks to serve the pod
    void leave(LocalPod pod, String what, String lacking) {
        var said = LEFT + ": pod " + name(pod) + ", lacking its " + lacking;
        log.warn("not taking over, {}", said);
        readiness.remark(subject(pod, what), () -> said);
    }

    /// The pod is served here, or not at all any more.
    void take(LocalPod pod, String what) {
        readiness.unremark(subject(pod, what));
    }

    private static String subject(LocalPod pod, String what) {
        return LEFT + " " + pod.uid() + " " + what;
    }

    private static String name(LocalPod pod) {
        return pod.info().namespace() + "/" + pod.info().name();
    }
}
