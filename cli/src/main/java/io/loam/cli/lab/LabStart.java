package io.loam.cli.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// Starts a lab and waits until it is ready. Ctrl-C in the meantime takes it down again.
public final class LabStart {
    /// How often the lab is asked how far it is: often enough that starting does not feel slower than it is.
    private static final Duration ASK_INTERVAL = Duration.ofMillis(100);

    /// More would not be read.
    private static final int PENDING_SHOWN = 3;

    private final LabDirectory labs;
    private final LabProcess process;

    public LabStart(LabDirectory labs, LabProcess process) {
        this.labs = labs;
        this.process = process;
    }

    /// @param lab a checked name that no running lab has
    /// @param files absolute
    /// @param authority see {@link LabProcess#start}
    /// @param progress shows what is waited for
    /// @return ready: every pod that can be is
    /// @throws LabException it cannot start or is not ready in time; in the latter case it stays up
    public RunningLab start(
            String lab, List<Path> files, @Nullable Path authority, Duration timeout, StartProgress progress)
            throws LabException {
        var settled = new AtomicBoolean();
        var interrupted = new AtomicBoolean();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> takeDown(lab, settled, interrupted), "ctrl-c"));
        try {
            var daemon = process.start(lab, files, authority);
            // Open from the beginning: a lab that cannot start takes its directory with it, and the log in it.
            try (var log = Files.newBufferedReader(labs.log(lab))) {
                return await(lab, daemon, log, timeout, progress);
            } catch (IOException e) {
                throw new LabException(labs.log(lab) + ": " + e.getMessage());
            }
        } catch (LabException e) {
            // That it ended is our own doing, and said already.
            throw interrupted.get() ? new LabException("lab '" + lab + "' was not started") : e;
        } finally {
            settled.set(true);
        }
    }

    private void takeDown(String lab, AtomicBoolean settled, AtomicBoolean interrupted) {
        if (settled.get()) {
            return;
        }
        interrupted.set(true);
        System.err.println("loam: interrupted: taking lab '" + lab + "' down");
        try {
            process.down(lab);
        } catch (LabException e) {
            System.err.println("loam: " + e.getMessage());
        }
    }

    private RunningLab await(String lab, Process daemon, BufferedReader log, Duration timeout, StartProgress progress)
            throws LabException {
        var deadline = System.nanoTime() + timeout.toNanos();
        @Nullable RunningLab running = null;
        while (System.nanoTime() - deadline < 0) {
            if (!daemon.isAlive()) {
                throw new LabException("lab '" + lab + "': its process ended with code " + daemon.exitValue() + ": "
                        + lastWords(lab, log));
            }
            if (running == null) {
                running = labs.running(lab).orElse(null);
            }
            if (running != null) {
                var status = running.status();
                switch (status.path("state").asText()) {
                    case "ready" -> {
                        return running;
                    }
                    case "failed" ->
                        throw new LabException(
                                "lab '" + lab + "': " + status.path("reason").asText("failed, see " + labs.log(lab)));
                    default -> progress.update(pending(status));
                }
            }
            pause(daemon);
        }
        if (running == null) {
            throw new LabException(
                    "lab '" + lab + "': did not start within " + timeout.toSeconds() + " s: see " + labs.log(lab));
        }
        throw new LabException("lab '" + lab + "': not ready within " + timeout.toSeconds() + " s, still pending: "
                + someOf(pending(running.status())) + "; it stays up: 'loam get pods', 'loam logs POD', 'loam down "
                + lab
                + "'");
    }

    private static List<String> pending(JsonNode status) {
        var pending = new ArrayList<String>();
        status.path("pending").forEach(one -> pending.add(one.asText()));
        return pending;
    }

    private static String someOf(List<String> names) {
        var shown = names.subList(0, Math.min(PENDING_SHOWN, names.size()));
        var more = names.size() - shown.size();
        return String.join("; ", shown) + (more > 0 ? "; and " + more + " more" : "");
    }

    /// Until the next question, or the end of the lab's process, whichever comes first.
    private static void pause(Process daemon) throws LabException {
        try {
            daemon.waitFor(ASK_INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted");
        }
    }

    private String lastWords(String lab, BufferedReader log) {
        var said = log.lines().filter(line -> !line.isBlank()).reduce((_, last) -> last);
        var rest = Files.exists(labs.log(lab)) ? " (all of it in " + labs.log(lab) + ")" : "";
        return said.orElse("it said nothing") + rest;
    }
}
