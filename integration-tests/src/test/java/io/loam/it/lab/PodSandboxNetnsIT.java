package io.loam.it.lab;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.ConfigReader;
import io.loam.config.object.ContainerEnvironment.PodFacts;
import io.loam.config.object.PodObject;
import io.loam.lab.command.Command;
import io.loam.lab.process.PodSandbox;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What a container finds in `/etc`, whatever the machine has there.
final class PodSandboxNetnsIT {
    private static final Path MACHINE = Path.of("/proc/self/ns/net");

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "true", // as this machine is
                "rm -f /etc/resolv.conf; ln -s /run/nowhere/stub-resolv.conf /etc/resolv.conf",
                "rm -f /etc/resolv.conf /etc/nsswitch.conf",
            })
    void podsHaveTheClustersResolverOnAnyMachine(String change) throws IOException {
        var pod = (PodObject)
                new ConfigReader().readText("""
                        apiVersion: v1
                        kind: Pod
                        metadata: {name: web, namespace: shop}
                        spec: {containers: [{name: web, command: [sleep, "1"]}]}
                        """, Path.of("pod.yaml")).objects().getFirst();
        var facts = new PodFacts(pod, "uid", "one", List.of("10.244.1.2"), List.of("172.20.0.11"));
        var sandbox = PodSandbox.create(directory, MACHINE, facts, InetAddress.getByName("10.96.0.10"));
        var inside = String.join(" ", sandbox.enter("web")) + " cat /etc/resolv.conf /etc/hosts /etc/passwd";

        // The machine's own /etc stays as it is: the change is made in a copy that only this script sees.
        var result = Command.result(
                List.of(
                        "unshare",
                        "--mount",
                        "--propagation",
                        "private",
                        "/bin/sh",
                        "-ec",
                        "mount -t tmpfs etc-copy /mnt; cp -a /etc/. /mnt/; mount --bind /mnt /etc; " + change
                                + "; exec " + inside),
                "",
                Duration.ofSeconds(20));

        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .contains("search shop.svc.cluster.local", "nameserver 10.96.0.10", "10.244.1.2 web", "root:x:0:0");
    }
}
