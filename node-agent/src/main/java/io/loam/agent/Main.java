package io.loam.agent;

import io.loam.runtime.config.AgentConfig;
import io.loam.runtime.config.AgentConfigReader;
import io.loam.runtime.config.ConfigException;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The node agent as a program. Settings come from the environment (wire reference, section 11); SIGTERM drains.
///
/// Exit codes: 0 drained, 1 could not start, 2 the settings, or the limits of the process, do not
/// fit.
public final class Main {
    private static final Logger log = LoggerFactory.getLogger(Main.class);

    private Main() {}

    /// A JVM that a signal ends exits with 128 + the signal, whatever its hooks have done; whoever watches the process
    /// would take an orderly end for a crash.
    @SuppressWarnings("SystemExitOutsideMain") // the end of main, on the thread that a signal leaves us
    private static void drainAndHalt(Agent agent) {
        Runtime.getRuntime().halt(drain(agent));
    }

    /// @return the exit code
    static int drain(Agent agent) {
        try {
            agent.drain();
            return 0;
        } catch (RuntimeException e) {
            log.error("drain failed", e);
            return 1;
        }
    }

    static void main() throws InterruptedException {
        Preload.nativeCalls();
        AgentConfig config;
        try {
            config =
                    AgentConfigReader.read(System.getenv(), Runtime.getRuntime().availableProcessors());
        } catch (ConfigException e) {
            System.err.println(e.getMessage());
            System.exit(2);
            return;
        }
        try {
            var agent = Agent.start(config);
            // The hook runs the drain, because the JVM stops when the last hook is done and not before.
            Runtime.getRuntime().addShutdownHook(new Thread(() -> drainAndHalt(agent), "loam-drain"));
            agent.awaitQuit(); // returns on /quitquitquit; a signal runs the hook instead
            System.exit(0);
        } catch (ConfigException e) { // what only shows on the machine: the limit of open files
            System.err.println(e.getMessage());
            System.exit(2);
        } catch (IOException e) {
            log.error("cannot start: {}", e.getMessage());
            log.debug("cannot start", e);
            System.exit(1);
        }
    }
}
