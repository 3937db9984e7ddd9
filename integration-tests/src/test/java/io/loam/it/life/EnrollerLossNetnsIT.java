package io.loam.it.life;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.cli.lab.LabProcess;
import io.loam.it.bench.Load;
import io.loam.it.bench.PodConnection;
import io.loam.it.lab.HazardFigures;
import io.loam.it.programs.Programs;
import io.loam.lab.Lab;
import io.loam.lab.command.Command;
import io.loam.lab.network.LabName;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Hazard C5: who writes the redirection rules is killed (with the lab's whole process, `kill -9`) in the middle of its
/// work. The rules of running pods stay, and so do their connections and agents.
final class EnrollerLossNetnsIT {
    private static final String LAB = "itcnilost";
    private static final int REDIS = 6379;
    private static final int MANY = 6;
    private static final Pattern IPV4 = Pattern.compile("inet (10\\.244\\.[0-9.]+)/");

    @TempDir
    private Path files;

    enum Work {
        ADD,
        DEL,
        RECONCILE
    }

    @ParameterizedTest
    @EnumSource
    void runningPodsDoNotNotice(Work work) throws Exception {
        Files.writeString(
                files.resolve("mesh.yaml"),
                "{apiVersion: v1, kind: Node, metadata: {name: one}}\n---\n"
                        + "{apiVersion: v1, kind: Node, metadata: {name: two}}\n"
                        + namespace("shop", "loam.io/dataplane-mode: ambient")
                        + redis("shop", "cache", "two")
                        + caller("shop", "caller", "one"));
        Files.writeString(files.resolve("late.yaml"), namespace("late", label(true)));
        if (work != Work.ADD) {
            Files.writeString(files.resolve("more.yaml"), many());
        }
        var daemon = daemon();
        try {
            await("a captured connection", Duration.ofSeconds(90), EnrollerLossNetnsIT::isCaptured);
            if (work != Work.ADD) {
                await("pods in the mesh", Duration.ofSeconds(60), () -> redirected() == MANY);
            }
            try (var open = PodConnection.open(netns("caller"), address("cache"), REDIS);
                    var load = Load.start(netns("caller"), address("cache"), 2, "cni-lost")) {
                assertThat(open.isAlive()).isTrue();
                await("the load to run", () -> load.succeeded() > 100);
                switch (work) {
                    case ADD -> Files.writeString(files.resolve("more.yaml"), many());
                    case DEL -> Files.delete(files.resolve("more.yaml"));
                    case RECONCILE -> Files.writeString(files.resolve("late.yaml"), namespace("late", label(false)));
                }
                await("the work to have begun", Duration.ofSeconds(60), () -> switch (work) {
                    case ADD -> redirected() > 0;
                    case DEL, RECONCILE -> redirected() < MANY;
                });

                daemon.destroyForcibly().waitFor();

                long before = load.succeeded();
                await("the load to go on", () -> load.succeeded() > before + 500);
                load.stop();
                assertThat(load.failures()).isEmpty();
                assertThat(open.isAlive()).isTrue();
                assertThat(open.isCaptured()).isTrue();
                assertThat(isCaptured()).as("a new connection").isTrue();
                HazardFigures.reached(
                        "C5",
                        "killed during %s: 0 of %d requests failed, 0 connections lost"
                                .formatted(work, load.succeeded()));
            }
        } finally {
            daemon.destroyForcibly().waitFor();
            Lab.down(LAB);
        }
    }

    private static String label(boolean inMesh) {
        return "loam.io/dataplane-mode: " + (inMesh ? "ambient" : "none");
    }

    private static String many() {
        return IntStream.range(0, MANY)
                .mapToObj(i -> caller("late", "late-" + i, i % 2 == 0 ? "one" : "two"))
                .collect(Collectors.joining());
    }

    /// Of the pods that come late, those that have redirection rules.
    private static int redirected() {
        int redirected = 0;
        for (int i = 0; i < MANY; i++) {
            var netns = LabName.netnsPath(new LabName(LAB).podNetns("late", "late-" + i));
            try {
                if (Files.exists(netns)
                        && Command.run(List.of("nsenter", "--net=" + netns, "nft", "list", "tables"))
                                .contains("istio-ambient-nat")) {
                    redirected++;
                }
            } catch (IOException _) {
                // it went between the two
            }
        }
        return redirected;
    }

    private static boolean isCaptured() throws IOException {
        if (!Files.exists(netns("cache")) || !Files.exists(netns("caller"))) {
            return false;
        }
        try (var connection = PodConnection.open(netns("caller"), address("cache"), REDIS)) {
            return connection.isCaptured();
        }
    }

    private static Path netns(String pod) {
        return LabName.netnsPath(new LabName(LAB).podNetns("shop", pod));
    }

    private static InetAddress address(String pod) throws IOException {
        var text = Command.run(List.of("nsenter", "--net=" + netns(pod), "ip", "-4", "address", "show", "eth0"));
        var match = IPV4.matcher(text);
        if (!match.find()) {
            throw new IOException("no address yet: " + text);
        }
        return InetAddress.ofLiteral(match.group(1));
    }

    private Process daemon() throws IOException {
        var command = new ArrayList<String>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(LabProcess.flags(Programs.classPath()));
        command.addAll(List.of("-cp", Programs.classPath(), "io.loam.lab.Main", "up", LAB, files.toString()));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
    }
}
