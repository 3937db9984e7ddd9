package io.loam.it.life;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.MeshBench;
import io.loam.lab.Lab;
import io.loam.lab.command.Command;
import io.loam.lab.network.LabName;
import io.loam.lab.remains.LabRemains;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A lab of which everything was killed, beside another that runs: `down` clears away the one and leaves the other.
final class RemainsNetnsIT {
    private static final String KILLED = "itkill";

    @TempDir
    private Path files;

    @Test
    void nothingIsLeftOfALabWhoseProcessesWereAllKilled() throws Exception {
        try (var neighbour = MeshBench.start(
                "itbeside",
                Map.of(
                        "mesh.yaml",
                        namespace("shop", "loam.io/dataplane-mode: ambient")
                                + redis("shop", "cache", "two")
                                + caller("shop", "caller", "one")))) {
            var before = machine();
            Files.writeString(
                    files.resolve("mesh.yaml"),
                    "{apiVersion: v1, kind: Node, metadata: {name: one}}\n"
                            + namespace("shop", "loam.io/dataplane-mode: ambient")
                            + redis("shop", "cache", "one"));
            var daemon = daemon();
            try {
                var remains = LabRemains.of(new LabName(KILLED));
                // an agent, a redis and what stands between
                await(
                        "the lab to run",
                        Duration.ofSeconds(60),
                        () -> remains.processes().size() >= 2 && redisRuns());

                var killed = remains.processes();
                killed.forEach(process -> ProcessHandle.of(process.pid()).ifPresent(ProcessHandle::destroyForcibly));
                daemon.destroyForcibly().waitFor();
                assertThat(remains.namespaces())
                        .as("there is something to clear away")
                        .isNotEmpty();

                Lab.down(KILLED);

                assertThat(remains.processes()).isEmpty();
                assertThat(killed).noneMatch(process -> process.isAlive());
                assertThat(new LabName(KILLED).stateDir()).doesNotExist();
                assertThat(machine()).isEqualTo(before);
            } finally {
                daemon.destroyForcibly().waitFor();
                Lab.down(KILLED);
            }
            try (var connection = neighbour.connect("shop/caller", neighbour.ipv4("shop/cache"), 6379)) {
                assertThat(connection.isAlive()).as("the other lab").isTrue();
                assertThat(connection.isCaptured()).isTrue();
            }
        }
        assertThat(Lab.list()).doesNotContain(KILLED, "itbeside");
    }

    private Process daemon() throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.loam.lab.Main",
                        "up",
                        KILLED,
                        files.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    private static boolean redisRuns() throws IOException {
        var netns = new LabName(KILLED).podNetns("shop", "cache");
        return Files.exists(LabName.netnsPath(netns))
                && !Command.run(List.of("ip", "netns", "pids", netns)).isBlank();
    }

    /// What this machine has that a killed lab could have left: rules and links of its own, mounts, state.
    private static List<String> machine() throws IOException {
        return Stream.of(
                        Command.run(List.of("nft", "list", "ruleset")),
                        Command.run(List.of("ip", "-brief", "link")),
                        String.join("\n", Files.readAllLines(Path.of("/proc/self/mounts"))),
                        "lab: " + Lab.list().contains(KILLED))
                .map(text -> text.lines()
                        .filter(line -> !line.contains("loam-") || line.contains("loam-" + KILLED))
                        .filter(line -> !line.contains("/run/loam/") || line.contains("/run/loam/" + KILLED))
                        .sorted()
                        .toList()
                        .toString())
                .toList();
    }
}
