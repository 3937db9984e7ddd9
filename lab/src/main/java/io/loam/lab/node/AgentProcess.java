package io.loam.lab.node;

import static java.util.concurrent.TimeUnit.MILLISECONDS;

import io.loam.agent.AgentJvm;
import io.loam.agent.crash.Culprits;
import io.loam.agent.workload.Successor;
import io.loam.lab.network.LabName;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The agent of one node: a JVM in the node's namespace, with the Java and the class path of this process. Started
/// again when it ends: after 0.1 s, doubled up to 10 s while it does not last 5 s. Can be replaced by
/// another process of the same kind. Safe for all threads.
final class AgentProcess implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AgentProcess.class);
    private static final String MAIN = "io.loam.agent.Main";
    /// Event loops of an agent: its own default on a machine of up to eight cores.
    private static final int WORKERS = 2;

    private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);

    /// Its pods' connections wait for it meanwhile: what has served gets another chance soon, what never
    /// came up does not.
    private static final Duration GOOD_RUN = Duration.ofSeconds(5);

    private static final Duration POLL = Duration.ofMillis(20);

    /// It drains open connections; a node that is taken down has none that matter.
    private static final Duration GRACE = Duration.ofSeconds(1);

    private final String node;
    private final List<String> command;
    private volatile Map<String, String> environment;
    private final Path log;
    private final Thread watch;

    /// Replaced, and not ended yet.
    private final Set<Process> leaving = ConcurrentHashMap.newKeySet();

    private volatile @Nullable Process process; // written under the lock of this
    private volatile boolean closed;

    private AgentProcess(String node, List<String> command, Map<String, String> environment, Path log) {
        this.node = node;
        this.command = List.copyOf(command);
        this.environment = Map.copyOf(environment);
        this.log = log;
        this.watch = Thread.ofVirtual().name("agent of " + node).unstarted(this::run);
    }

    /// Returns at once.
    ///
    /// @param environment all of it: the agent inherits nothing else
    /// @param setup what to start instead, or with which options
    /// @param state directory that agents of the node leave things to each other in
    static AgentProcess start(
            String node, String netns, Map<String, String> environment, Path log, Path state, AgentSetup setup) {
        var command = new ArrayList<String>(List.of("nsenter", "--net=" + LabName.netnsPath(netns), "--"));
        var program = setup.programs().get(node);
        if (program != null) {
            command.add(program.toString());
        } else {
            command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
            var classPath = System.getProperty("java.class.path");
            command.addAll(AgentJvm.flags(WORKERS));
            command.addAll(AgentJvm.cacheFlags(classPath));
            command.addAll(AgentJvm.libraryFlags(classPath));
            command.add(Culprits.errorFileOption(state));
            command.addAll(setup.jvmOptions());
            command.addAll(List.of("-cp", classPath, MAIN));
        }
        var agent = new AgentProcess(node, command, environment, log);
        agent.watch.start();
        return agent;
    }

    /// Empty while it waits for its next start.
    Optional<ProcessHandle> process() {
        var current = process;
        return current == null || !current.isAlive() ? Optional.empty() : Optional.of(current.toHandle());
    }

    private void run() {
        var pause = FIRST_PAUSE;
        try {
            while (!closed) {
                long started = System.nanoTime();
                int exitCode = runOnce();
                if (closed) {
                    return;
                }
                var lasted = Duration.ofNanos(System.nanoTime() - started);
                pause = lasted.compareTo(GOOD_RUN) >= 0 ? FIRST_PAUSE : pause;
                LOG.warn(
                        "node={} agent ended with {} after {} ms, starts again in {} ms; log={}",
                        node,
                        exitCode,
                        lasted.toMillis(),
                        pause.toMillis(),
                        log);
                Thread.sleep(pause);
                pause = pause.multipliedBy(2).compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause.multipliedBy(2);
            }
        } catch (InterruptedException _) {
            // Closed.
        }
    }

    private int runOnce() throws InterruptedException {
        try {
            return awaitEnd(launchUnlessReplaced());
        } catch (IOException e) {
            LOG.error("node={} agent cannot be started: {}", node, e.toString());
            return 127; // as a shell that does not find the program
        }
    }

    private synchronized Process launchUnlessReplaced() throws IOException {
        var current = process;
        if (current != null && current.isAlive()) {
            return current; // replaced while we waited to start it again
        }
        var started = launch(environment);
        process = started;
        if (closed) {
            started.destroy();
        }
        return started;
    }

    private Process launch(Map<String, String> settings) throws IOException {
        var builder = new ProcessBuilder(command)
                .redirectInput(Redirect.from(Path.of("/dev/null").toFile()))
                .redirectErrorStream(true)
                .redirectOutput(Redirect.appendTo(log.toFile()));
        builder.environment().clear();
        builder.environment().putAll(settings);
        var started = builder.start();
        LOG.info("node={} agent pid={}", node, started.pid());
        return started;
    }

    /// Of the process that serves: the end of one that was replaced is not the end.
    private int awaitEnd(Process started) throws InterruptedException {
        var waitedFor = started;
        while (true) {
            int exitCode = waitedFor.waitFor();
            var current = process;
            if (current == null || current.equals(waitedFor)) {
                return exitCode;
            }
            waitedFor = current;
        }
    }

    /// How far a new agent is.
    interface Progress {
        /// @return what it lacks to do what an agent is for; empty when it lacks nothing
        String lacks(ProcessHandle process);
    }

    /// Starts a second agent, waits until it serves, and has the first one drain (SIGTERM).
    ///
    /// @param changes to its environment, from now on
    /// @param progress of the new one
    /// @return the process that drains, empty if none was running
    /// @throws IOException if the new one does not serve in time, or says that it cannot; then the old one stays
    Optional<ProcessHandle> replace(Map<String, String> changes, Progress progress, Duration atMost)
            throws IOException {
        var settings = new HashMap<>(environment);
        settings.putAll(changes);
        var successor = launch(settings);
        try {
            long deadline = System.nanoTime() + atMost.toNanos();
            for (var lacks = progress.lacks(successor.toHandle());
                    !lacks.isEmpty();
                    lacks = progress.lacks(successor.toHandle())) {
                boolean ended = successor.waitFor(POLL.toMillis(), MILLISECONDS);
                if (ended || closed || lacks.contains(Successor.LEFT) || System.nanoTime() - deadline > 0) {
                    throw new IOException("the new agent of node " + node + " does not serve: "
                            + (ended ? "it ended with " + successor.exitValue() : lacks)
                            + "; the one before is still at work (see " + log + ")");
                }
            }
        } catch (IOException | RuntimeException e) {
            successor.destroyForcibly();
            throw e;
        } catch (InterruptedException e) {
            successor.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        return succeed(successor, settings);
    }

    private synchronized Optional<ProcessHandle> succeed(Process successor, Map<String, String> settings)
            throws IOException {
        if (closed) {
            successor.destroyForcibly();
            throw new IOException("node " + node + " is going down");
        }
        var old = process;
        process = successor;
        environment = Map.copyOf(settings);
        if (old == null || !old.isAlive()) {
            return Optional.empty();
        }
        leaving.add(old);
        var _ = old.onExit().thenRun(() -> leaving.remove(old));
        old.destroy();
        return Optional.of(old.toHandle());
    }

    /// Ends the agent and waits for it.
    @Override
    public void close() {
        Process current;
        synchronized (this) {
            closed = true;
            current = process;
        }
        leaving.forEach(Process::destroyForcibly);
        try {
            if (current != null) {
                current.destroy();
                if (!current.waitFor(GRACE.toMillis(), MILLISECONDS)) {
                    current.destroyForcibly().waitFor();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        watch.interrupt();
    }
}
