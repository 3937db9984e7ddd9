package io.loam.it.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.lab.Lab;
import io.loam.lab.command.Command;
import io.loam.lab.network.LabName;
import io.loam.lab.remains.LabRemains;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A lab as its users have it: pods run and can be entered, and nothing is left, however it ends.
final class LabNetnsIT {
    private static final String FILES = """
            apiVersion: v1
            kind: Node
            metadata: {name: one}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: web, namespace: default, labels: {app: web}}
            spec:
              containers:
                - name: web
                  command: [/usr/bin/python3, -m, http.server, "8000"]
                  readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: default}
            spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
            """;

    @TempDir
    private Path files;

    private final String name = "it" + ProcessHandle.current().pid() % 100_000;

    @Test
    void podsKnowTheirNameAndReachServicesByName() throws IOException {
        Files.writeString(files.resolve("lab.yaml"), FILES);
        try (var lab = Lab.start(name, List.of(files))) {
            lab.awaitReady(Duration.ofSeconds(40));

            assertThat(lab.exec("web", "cat", "/proc/sys/kernel/hostname")
                            .output()
                            .strip())
                    .isEqualTo("web");
            assertThat(lab.exec("web", "cat", "/etc/resolv.conf").output())
                    .contains("nameserver 10.96.0.10", "search default.svc.cluster.local", "ndots:5");
            assertThat(lab.exec("web", "curl", "-sS", "-m", "5", "http://web.default/")
                            .exitCode())
                    .isZero();
        }
        assertThat(Lab.list()).doesNotContain(name);
    }

    /// What is captured may be changed under a pod that runs; no other pod and no process notices.
    @Test
    void changedAnnotationsOfARunningPodChangeItsRules() throws IOException, InterruptedException {
        var file = files.resolve("lab.yaml");
        var captured = FILES.replace(
                "labels: {app: web}}\nspec:\n  containers",
                "labels: {app: web, loam.io/dataplane-mode: ambient}}\nspec:\n  containers");
        Files.writeString(file, captured);
        try (var lab = Lab.start(name, List.of(files))) {
            lab.awaitReady(Duration.ofSeconds(40));
            var uid = lab.pod("web").uid();
            assertThat(rules(lab)).contains("15008");

            Files.writeString(
                    file,
                    captured.replace(
                            "loam.io/dataplane-mode: ambient}}",
                            "loam.io/dataplane-mode: ambient}, annotations: {loam.io/bypass-inbound-capture: \"true\"}}"));

            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (rules(lab).contains("15008")) {
                assertThat(System.nanoTime() - deadline)
                        .as("inbound rules still there")
                        .isNegative();
            }
            lab.awaitReady(Duration.ofSeconds(20));
            assertThat(lab.pod("web").uid()).isEqualTo(uid);
            assertThat(lab.pod("web").redirected()).isTrue();
            assertThat(rules(lab)).contains("15001");
        }
    }

    private static String rules(Lab lab) throws IOException {
        return Command.run(List.of("nsenter", "--net=" + lab.podNetns("web"), "nft", "list", "ruleset"));
    }

    /// A second start of the same name is refused and leaves the first alone.
    @Test
    void aLabThatRunsIsNotTakenByAnother() throws IOException {
        Files.writeString(files.resolve("lab.yaml"), FILES);
        try (var lab = Lab.start(name, List.of(files))) {
            assertThatThrownBy(() -> Lab.start(name, List.of(files)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("lab " + name + " is already running (process ");

            lab.awaitReady(Duration.ofSeconds(40));
            assertThat(lab.exec("web", "true").exitCode()).isZero();
        }
    }

    @Test
    void aKilledLabLeavesNothingAfterDown() throws IOException, InterruptedException {
        Files.writeString(files.resolve("lab.yaml"), FILES);
        var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        var daemon = new ProcessBuilder(
                        java,
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.loam.lab.Main",
                        "up",
                        name,
                        files.toString())
                .inheritIO()
                .start();
        var remains = LabRemains.of(new LabName(name));
        var api = new LabName(name).stateDir().resolve("api.json");
        try {
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
            while (!Files.exists(api) && System.nanoTime() - deadline < 0) {
                assertThat(daemon.waitFor(50, TimeUnit.MILLISECONDS))
                        .as("lab ended")
                        .isFalse();
            }
            assertThat(api).exists();
            assertThat(remains.namespaces()).isNotEmpty();
        } finally {
            daemon.destroyForcibly().waitFor();
        }

        Lab.down(name);

        assertThat(remains.processes()).isEmpty();
        assertThat(remains.namespaces()).isEmpty();
        assertThat(new LabName(name).stateDir()).doesNotExist();
    }
}
