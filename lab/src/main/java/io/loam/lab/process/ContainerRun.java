package io.loam.lab.process;

import io.loam.config.object.ContainerEnvironment;
import io.loam.config.object.ContainerEnvironment.PodFacts;
import io.loam.config.object.ContainerSpec;
import io.loam.config.object.PodSpec.RestartPolicy;
import io.loam.config.object.Probe;
import io.loam.lab.process.ContainerStatus.Ended;
import io.loam.lab.process.ContainerStatus.Running;
import io.loam.lab.process.ContainerStatus.Waiting;
import io.loam.lab.remains.ProcessTable;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One container from its first start to its end: starts its process, watches it with the probes, starts it again.
/// {@link #run} is straight-line code for one virtual thread; probes have threads of their own while the process runs.
final class ContainerRun {
    private static final Logger LOG = LoggerFactory.getLogger(ContainerRun.class);

    private final ContainerSpec spec;
    private final List<String> command;
    private final String label;
    private final PodSandbox sandbox;
    private final Duration grace;
    private final Prober prober;
    private final Runnable onChange;
    private final CountDownLatch stop = new CountDownLatch(1);
    private volatile ContainerStatus status;
    private volatile @Nullable Process process;

    /// @param onChange called after the status changed, on any thread; must not block
    ContainerRun(ContainerSpec spec, PodFacts facts, PodSandbox sandbox, Prober prober, Runnable onChange) {
        this.spec = spec;
        this.sandbox = sandbox;
        this.grace = facts.pod().spec().terminationGracePeriod();
        this.prober = prober;
        this.onChange = onChange;
        this.label = facts.pod().meta().namespace() + "/" + facts.pod().meta().name() + "/" + spec.name();
        this.status = new ContainerStatus(spec.name(), new Waiting("not started yet"), false, false, 0);
        var environment = ContainerEnvironment.of(spec.env(), facts, Map.of());
        var words = new ArrayList<>(sandbox.enter(spec.name()));
        words.add("setsid"); // its own session: what it leaves behind when it ends can be found and ended
        words.addAll(environment.expand(spec.command()));
        words.addAll(environment.expand(spec.args()));
        this.command = List.copyOf(words);
    }

    ContainerStatus status() {
        return status;
    }

    /// Returns when the container ended for good, or was stopped.
    ///
    /// @return the last exit code; 143 if it was stopped before it ever ran
    int run(RestartPolicy policy) throws InterruptedException {
        var backoff = new RestartBackoff();
        int exitCode = 143; // 128 + SIGTERM
        while (!isStopped()) {
            long start = System.nanoTime();
            exitCode = runOnce();
            var again = switch (policy) {
                case ALWAYS -> true;
                case ON_FAILURE -> exitCode != 0;
                case NEVER -> false;
            };
            if (!again || isStopped()) {
                break;
            }
            var pause = backoff.afterRun(Duration.ofNanos(System.nanoTime() - start));
            var reason = "ended with " + exitCode + ", starts again in " + pause.toSeconds() + " s";
            LOG.info("container={} {}", label, reason);
            update(now -> new ContainerStatus(now.name(), new Waiting(reason), false, false, now.restarts()));
            if (stop.await(pause.toNanos(), TimeUnit.NANOSECONDS)) {
                break;
            }
            update(now -> new ContainerStatus(now.name(), now.state(), false, false, now.restarts() + 1));
        }
        int last = exitCode;
        update(now -> new ContainerStatus(now.name(), new Ended(last), now.started(), false, now.restarts()));
        return last;
    }

    /// From now on {@link #run} starts nothing again. Ends nothing itself.
    void startNoMore() {
        stop.countDown();
    }

    /// Asks the process to end and returns at once; {@link #run} does not start it again.
    void stop() {
        startNoMore();
        var current = process;
        if (current != null) {
            current.destroy();
        }
    }

    private boolean isStopped() {
        return stop.getCount() == 0;
    }

    private int runOnce() throws InterruptedException {
        Process started;
        try {
            started = start();
        } catch (IOException e) {
            complain("cannot be started: " + e.getMessage());
            return 127; // as a shell that does not find the program
        }
        process = started;
        if (isStopped()) {
            started.destroy();
        }
        var ready = spec.readiness() == null && spec.startup() == null;
        update(now -> new ContainerStatus(
                now.name(), new Running(started.pid()), spec.startup() == null, ready, now.restarts()));
        var watch = Thread.ofVirtual().name(label + " probes").start(() -> watch(started));
        try {
            return started.waitFor();
        } finally {
            watch.interrupt();
            process = null;
            update(now -> new ContainerStatus(now.name(), new Waiting("ended"), now.started(), false, now.restarts()));
            endSession(started.pid());
        }
    }

    private Process start() throws IOException {
        var builder = new ProcessBuilder(command)
                .redirectInput(Redirect.from(Path.of("/dev/null").toFile()))
                .redirectErrorStream(true)
                .redirectOutput(Redirect.appendTo(sandbox.log(spec.name()).toFile()));
        builder.environment().clear();
        builder.environment().put("PATH", System.getenv().getOrDefault("PATH", "/usr/bin:/bin"));
        return builder.start();
    }

    /// What a program leaves running when it ends would keep its ports from its next run.
    private void endSession(long session) {
        try {
            ProcessTable.end(() -> ProcessTable.inSession(session), Duration.ZERO);
        } catch (IOException e) {
            LOG.warn("container={} processes it left behind could not be ended: {}", label, e.toString());
        }
    }

    private void watch(Process running) {
        try {
            var startup = spec.startup();
            if (startup != null && !untilWell(startup)) {
                end(running, "startup probe failed");
                return;
            }
            update(now -> new ContainerStatus(now.name(), now.state(), true, spec.readiness() == null, now.restarts()));
            var readiness = spec.readiness();
            var liveness = spec.liveness();
            var other = readiness == null
                    ? null
                    : Thread.ofVirtual().name(label + " readiness").start(() -> watchReadiness(readiness));
            try {
                if (liveness != null) {
                    watchLiveness(liveness);
                    end(running, "liveness probe failed");
                } else if (other != null) {
                    other.join();
                }
            } finally {
                if (other != null) {
                    other.interrupt();
                }
            }
        } catch (InterruptedException _) {
            // The process ended; its next run gets new probes.
        }
    }

    private boolean untilWell(Probe probe) throws InterruptedException {
        var verdict = new ProbeVerdict(probe);
        sleep(probe.initialDelay());
        while (true) {
            switch (verdict.attempt(isWell(probe, "startup"))) {
                case WELL -> {
                    return true;
                }
                case FAILED -> {
                    return false;
                }
                case UNDECIDED -> sleep(probe.period());
            }
        }
    }

    private void watchLiveness(Probe probe) throws InterruptedException {
        var verdict = new ProbeVerdict(probe);
        sleep(probe.initialDelay());
        while (verdict.attempt(isWell(probe, "liveness")) != ProbeVerdict.Outcome.FAILED) {
            sleep(probe.period());
        }
    }

    private void watchReadiness(Probe probe) {
        try {
            var verdict = new ProbeVerdict(probe);
            var pace = new ReadinessPace(probe.period());
            sleep(probe.initialDelay());
            while (true) {
                boolean well = isWell(probe, "readiness");
                switch (verdict.attempt(well)) {
                    case WELL -> setReady(true);
                    case FAILED -> setReady(false);
                    case UNDECIDED -> {}
                }
                sleep(pace.after(well));
            }
        } catch (InterruptedException _) {
            // The process ended.
        }
    }

    private boolean isWell(Probe probe, String kind) throws InterruptedException {
        var complaint = prober.complaint(probe);
        if (complaint != null) {
            LOG.debug("container={} probe={} {}", label, kind, complaint);
        }
        return complaint == null;
    }

    private void setReady(boolean ready) {
        update(now -> now.state() instanceof Running
                ? new ContainerStatus(now.name(), now.state(), now.started(), ready, now.restarts())
                : now);
    }

    private void end(Process running, String reason) throws InterruptedException {
        complain(reason);
        running.destroy();
        if (!running.waitFor(grace.toMillis(), TimeUnit.MILLISECONDS)) {
            running.destroyForcibly();
        }
    }

    /// Among what the container itself prints, where its user looks first.
    private void complain(String what) {
        LOG.info("container={} {}", label, what);
        try {
            Files.writeString(
                    sandbox.log(spec.name()),
                    "[loam " + Instant.now() + "] " + what + "\n",
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            LOG.warn("container={} log={} cannot be written: {}", label, sandbox.log(spec.name()), e.toString());
        }
    }

    private void update(UnaryOperator<ContainerStatus> change) {
        synchronized (command) {
            var next = change.apply(status);
            if (next.equals(status)) {
                return;
            }
            status = next;
        }
        onChange.run();
    }

    private static void sleep(Duration duration) throws InterruptedException {
        Thread.sleep(duration);
    }
}
