package io.loam.lab.node;

import io.loam.agent.AgentJvm;
import io.loam.lab.network.LabName;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The agent of one node: a JVM in the node's namespace, with the Java and the class path of this process. Started
/// again when it ends: after 0.5 s, doubled up to 10 s while it does not last a minute. Safe for all threads.
final class AgentProcess implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AgentProcess.class);
    private static final String MAIN = "io.loam.agent.Main";
    /// Event loops of an agent: its own default on a machine of up to eight cores.
    private static final int WORKERS = 2;

    private static final Duration FIRST_PAUSE = Duration.ofMillis(500);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);
    private static final Duration GOOD_RUN = Duration.ofMinutes(1);

    /// It drains open connections; a node that is taken down has none that matter.
    private static final Duration GRACE = Duration.ofSeconds(1);

    private final String node;
    private final List<String> command;
    private final Map<String, String> environment;
    private final Path log;
    private final Thread watch;
    private volatile @Nullable Process process;
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
    static AgentProcess start(String node, String netns, Map<String, String> environment, Path log, AgentSetup setup) {
        var command = new ArrayList<String>(List.of("nsenter", "--net=" + LabName.netnsPath(netns), "--"));
        var program = setup.programs().get(node);
        if (program != null) {
            command.add(program.toString());
        } else {
            command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
            var classPath = System.getProperty("java.class.path");
            command.addAll(AgentJvm.flags(WORKERS));
            command.addAll(AgentJvm.cacheFlags(classPath));
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
            var builder = new ProcessBuilder(command)
                    .redirectInput(Redirect.from(Path.of("/dev/null").toFile()))
                    .redirectErrorStream(true)
                    .redirectOutput(Redirect.appendTo(log.toFile()));
            builder.environment().clear();
            builder.environment().putAll(environment);
            var started = builder.start();
            process = started;
            if (closed) {
                started.destroy();
            }
            LOG.info("node={} agent pid={}", node, started.pid());
            return started.waitFor();
        } catch (IOException e) {
            LOG.error("node={} agent cannot be started: {}", node, e.toString());
            return 127; // as a shell that does not find the program
        }
    }

    /// Ends the agent and waits for it.
    @Override
    public void close() {
        closed = true;
        var current = process;
        try {
            if (current != null) {
                current.destroy();
                if (!current.waitFor(GRACE.toMillis(), TimeUnit.MILLISECONDS)) {
                    current.destroyForcibly().waitFor();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        watch.interrupt();
    }
}
