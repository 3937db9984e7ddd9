package io.loam.it.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.lab.command.Command;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hazard P10: an agent whose descriptors have run out keeps every connection it has, lets new ones wait, counts what
/// it could not accept, and goes on by itself when there are descriptors again.
final class DescriptorsNetnsIT {
    private static final int CONNECTIONS = 600;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @TempDir
    private Path directory;

    @Test
    void whoIsConnectedStaysAndWhoComesWaitsUntilThereAreDescriptorsAgain() throws Exception {
        try (var mesh = TunnelLab.start("fds", directory)) {
            var target = mesh.ipv4("mesh/server");
            var agent = mesh.lab().agent("na").pid();
            mesh.crowd("mesh/client", PATIENCE, "storm", target, TunnelLab.CROWD, 20, 100);
            var holder = mesh.start("mesh/client", "crowd.py", "hold", target, TunnelLab.CROWD, CONNECTIONS);
            Process late = null;
            try (var said = holder.inputReader();
                    var orders = holder.outputWriter()) {
                assertThat(said.readLine()).startsWith(CONNECTIONS + " open");
                var before = softLimit(agent);
                long open = mesh.descriptors("na");
                limit(agent, Long.toString(lowestFree(agent)));
                long started = System.nanoTime();

                late = mesh.start("mesh/client", "crowd.py", "hold", target, TunnelLab.CROWD, 1);
                var lateSaid = late.inputReader();
                var lateOpen = CompletableFuture.supplyAsync(
                        () -> lateSaid.lines().findFirst().orElse("ended"));
                TunnelLab.await("the agent to run out of descriptors", PATIENCE, () -> logSays(mesh, "cannot accept"));
                orders.write("\n");
                orders.flush();
                assertThat(said.readLine()).isEqualTo(CONNECTIONS + " alive");
                assertThat(lateOpen).isNotDone();

                limit(agent, before);
                assertThat(lateOpen.get(PATIENCE.toSeconds(), TimeUnit.SECONDS)).startsWith("1 open");
                var took = Duration.ofNanos(System.nanoTime() - started);
                assertThat(mesh.lab().agent("na").pid()).as("the same agent").isEqualTo(agent);
                TunnelLab.await(
                        "no listener paused", PATIENCE, () -> metric(mesh, "loam_accept_paused_listeners") == 0);
                double failures = metric(mesh, "loam_accept_failures_total");
                assertThat(failures).isPositive();
                // One each 100 ms for each listener that somebody waits at, however long it lasts.
                assertThat(failures).isLessThan(20 + took.toMillis() / 100.0 * 2);
                System.out.printf(
                        "hazard P10: %d of %d connections alive with %d descriptors open and none to be had; the one that"
                                + " came meanwhile was served when there were more, %d ms after the limit, %.0f failures"
                                + " to accept counted%n",
                        CONNECTIONS, CONNECTIONS, open, took.toMillis(), failures);
            } finally {
                holder.destroyForcibly();
                if (late != null) {
                    late.destroyForcibly();
                }
            }
        }
    }

    private static boolean logSays(TunnelLab mesh, String text) throws IOException {
        return Files.readString(mesh.lab().agentLog("na")).contains(text);
    }

    private static double metric(TunnelLab mesh, String name) throws IOException {
        return TunnelLab.inNetns(
                        mesh.lab().nodeNetns("na"), "curl", "-sS", "-m", "10", "http://127.0.0.1:15020/metrics")
                .lines()
                .filter(line -> line.startsWith(name + " "))
                .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
                .findFirst()
                .orElseThrow();
    }

    /// The kernel gives out the lowest number that is free, and none from the limit on: with the limit here there is
    /// none at all, whatever gaps there are above.
    private static int lowestFree(long process) {
        int number = 0;
        while (Files.isSymbolicLink(Path.of("/proc", Long.toString(process), "fd", Integer.toString(number)))) {
            number++;
        }
        return number;
    }

    private static String softLimit(long process) throws IOException {
        return Command.run(List.of(
                        "prlimit", "--pid", Long.toString(process), "--nofile", "--noheadings", "--output=SOFT"))
                .strip();
    }

    /// The soft limit only: it can be raised again.
    private static void limit(long process, String files) throws IOException {
        Command.run(List.of("prlimit", "--pid", Long.toString(process), "--nofile=" + files + ":"));
    }
}
