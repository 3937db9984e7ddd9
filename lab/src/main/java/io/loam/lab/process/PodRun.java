package io.loam.lab.process;

import io.loam.config.cluster.RunningPod.Phase;
import io.loam.config.object.ContainerEnvironment.PodFacts;
import io.loam.config.object.PodSpec.RestartPolicy;
import io.loam.lab.process.ContainerStatus.Ended;
import io.loam.lab.process.ContainerStatus.Waiting;
import io.loam.lab.remains.ProcessTable;
import io.loam.lab.remains.ProcessTable.ProcessId;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// The containers of one pod: first the init containers, each to its end, then the others side by side. Safe for all
/// threads.
public final class PodRun {
    private final PodFacts facts;
    private final PodSandbox sandbox;
    private final List<ContainerRun> initContainers = new ArrayList<>();
    private final List<ContainerRun> containers = new ArrayList<>();
    private final Runnable onChange;
    private volatile boolean stopping;
    private volatile boolean initFailed;
    private volatile boolean initDone;

    /// @param podIp the address probes go to
    /// @param onChange called after {@link #status} changed, on any thread; must not block
    public PodRun(PodFacts facts, PodSandbox sandbox, InetAddress podIp, NodeSockets node, Runnable onChange) {
        this.facts = facts;
        this.sandbox = sandbox;
        this.onChange = onChange;
        var spec = facts.pod().spec();
        spec.initContainers()
                .forEach(init -> initContainers.add(
                        new ContainerRun(init, facts, sandbox, new Prober(init, sandbox, podIp, node), onChange)));
        spec.containers()
                .forEach(container -> containers.add(new ContainerRun(
                        container, facts, sandbox, new Prober(container, sandbox, podIp, node), onChange)));
    }

    /// Returns at once.
    public void start() {
        Thread.ofVirtual().name(facts.pod().meta().name()).start(this::runInitContainers);
    }

    private void runInitContainers() {
        try {
            var policy = facts.pod().spec().restartPolicy();
            for (var init : initContainers) {
                int exitCode = init.run(policy == RestartPolicy.NEVER ? RestartPolicy.NEVER : RestartPolicy.ON_FAILURE);
                if (stopping) {
                    return;
                }
                if (exitCode != 0) {
                    initFailed = true;
                    onChange.run();
                    return;
                }
            }
            initDone = true;
            onChange.run();
            for (var container : containers) {
                Thread.ofVirtual().name(facts.pod().meta().name()).start(() -> runContainer(container, policy));
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private void runContainer(ContainerRun container, RestartPolicy policy) {
        try {
            container.run(policy);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    public PodStatus status() {
        var init = initContainers.stream().map(ContainerRun::status).toList();
        var main = containers.stream().map(ContainerRun::status).toList();
        return initDone ? of(main) : beforeContainers(init, initFailed);
    }

    private static PodStatus beforeContainers(List<ContainerStatus> init, boolean failed) {
        var reason = init.stream()
                .filter(container -> !(container.state() instanceof Ended(int code) && code == 0))
                .findFirst()
                .map(container -> "init container " + container.name() + " " + describe(container))
                .orElse("init containers are done");
        return new PodStatus(failed ? Phase.FAILED : Phase.PENDING, false, reason, init);
    }

    /// The rules of Kubernetes' pod phases and of its condition Ready.
    static PodStatus of(List<ContainerStatus> containers) {
        if (!containers.isEmpty() && containers.stream().allMatch(container -> container.state() instanceof Ended)) {
            var failed = containers.stream()
                    .filter(container -> container.state() instanceof Ended(int code) && code != 0)
                    .findFirst();
            return failed.map(container -> new PodStatus(
                            Phase.FAILED,
                            false,
                            "container " + container.name() + " " + describe(container),
                            containers))
                    .orElseGet(() -> new PodStatus(Phase.SUCCEEDED, false, "", containers));
        }
        var notReady =
                containers.stream().filter(container -> !container.ready()).findFirst();
        var waitsForFirstStart = containers.stream()
                .anyMatch(container ->
                        container.state() instanceof Waiting && container.restarts() == 0 && !container.started());
        return new PodStatus(
                waitsForFirstStart ? Phase.PENDING : Phase.RUNNING,
                notReady.isEmpty(),
                notReady.map(container -> "container " + container.name() + " " + describe(container))
                        .orElse(""),
                containers);
    }

    private static String describe(ContainerStatus container) {
        return switch (container.state()) {
            case Waiting(var reason) -> reason;
            case Ended(var code) -> "ended with " + code;
            case ContainerStatus.Running _ -> container.started() ? "is not ready" : "has not passed its startup probe";
        };
    }

    /// What ends from now on stays ended: somebody else is about to end it. Returns at once.
    public void startNoMore() {
        stopping = true;
        initContainers.forEach(ContainerRun::startNoMore);
        containers.forEach(ContainerRun::startNoMore);
    }

    /// Ends all processes of the pod: SIGTERM to each container, SIGKILL to all that is left when the grace period is
    /// over. Blocking.
    public void stop() throws IOException {
        stop(facts.pod().spec().terminationGracePeriod());
    }

    public void stop(Duration grace) throws IOException {
        stopping = true;
        var all = new ArrayList<>(initContainers);
        all.addAll(containers);
        var sessions = all.stream()
                .map(container -> container.status().state())
                .filter(ContainerStatus.Running.class::isInstance)
                .map(state -> ((ContainerStatus.Running) state).pid())
                .toList();
        all.forEach(ContainerRun::stop);
        long deadline = System.nanoTime() + grace.toNanos();
        // The main processes decide how long it takes, as in Kubernetes; what outlives them is killed.
        var mains = sessions.stream().flatMap(pid -> id(pid).stream()).toList();
        var stubborn = ProcessTable.await(() -> mains, Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
        ProcessTable.signal(stubborn, true);
        var left = ProcessTable.end(() -> processes(sessions), Duration.ZERO);
        if (!left.isEmpty()) {
            throw new IOException("processes that SIGKILL did not end: " + left);
        }
    }

    private List<ProcessId> processes(List<Long> sessions) throws IOException {
        if (!facts.pod().spec().hostNetwork()) {
            var inode = ProcessTable.inode(sandbox.netns());
            return inode.isPresent() ? ProcessTable.inNetworks(Set.of(inode.getAsLong())) : List.of();
        }
        var all = new ArrayList<ProcessId>();
        for (var session : sessions) {
            all.addAll(ProcessTable.inSession(session));
        }
        return all;
    }

    private static List<ProcessId> id(long pid) {
        try {
            return List.of(ProcessId.of(pid));
        } catch (IOException _) {
            return List.of(); // ended meanwhile
        }
    }
}
