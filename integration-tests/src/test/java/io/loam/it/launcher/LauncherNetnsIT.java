package io.loam.it.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `./loam` on machines that lack something: one sentence that says what to do, exit code 2, and nothing built.
final class LauncherNetnsIT {
    private static final Path TOP = Path.of(System.getProperty("loam.top"));

    /// What the launcher may call before it builds.
    private static final List<String> PROGRAMS = List.of(
            "bash",
            "sh",
            "env",
            "cat",
            "chmod",
            "dirname",
            "grep",
            "id",
            "readlink",
            "rm",
            "tail",
            "true",
            "ip",
            "iptables",
            "nft",
            "nsenter",
            "unshare",
            "apt-cache",
            "apt-get",
            "mount",
            "mvn");

    /// Stands for the machine's programs; tests leave some out or put others in their place.
    @TempDir
    private Path programs;

    private record Outcome(int exitCode, String output) {}

    @BeforeEach
    void takeProgramsOfThisMachine() throws IOException {
        for (var name : PROGRAMS) {
            for (var directory : List.of("/usr/sbin", "/usr/bin", "/sbin", "/bin")) {
                var program = Path.of(directory, name);
                if (Files.exists(program) && !Files.exists(programs.resolve(name))) {
                    replace(name, "exec " + program + " \"$@\"");
                }
            }
        }
    }

    @Test
    void asksForRoot() throws Exception {
        replace("id", "echo 1000");

        assertRefusal(loam(List.of(), "up", "shop.yaml"), "needs root", "sudo ./loam up shop.yaml");
    }

    @Test
    void namesMissingPrograms() throws Exception {
        remove("iptables", "nft", "apt-get");

        assertRefusal(loam(List.of(), "up", "shop.yaml"), "nftables iptables", "package manager");
    }

    @Test
    void saysWhenNamespacesAreNotAllowed() throws Exception {
        replace("unshare", "exit 1");

        assertRefusal(loam(List.of(), "up", "shop.yaml"), "network namespaces", "--privileged");
    }

    @Test
    void namesTheJdk() throws Exception {
        remove("apt-cache", "apt-get");
        var hidden = List.of("/usr/lib/jvm", "/opt", System.getProperty("java.home"));
        var hide = new ArrayList<String>(List.of("/usr/bin/unshare", "--mount", "/bin/sh", "-c"));
        hide.add("for d in " + String.join(" ", hidden)
                + "; do [ -d \"$d\" ] && mount -t tmpfs none \"$d\"; done; exec \"$0\" \"$@\"");

        assertRefusal(loam(hide, "up", "shop.yaml"), "no JDK 25", "adoptium.net");
    }

    @Test
    void namesMaven() throws Exception {
        remove("mvn", "apt-get");

        assertRefusal(loam(List.of(), "up", "shop.yaml"), "maven", "package manager");
    }

    @Test
    void refusesATestItDoesNotKnow() throws Exception {
        assertRefusal(loam(List.of(), "test", "everything"), "everything (expected: unit, netns or nothing)");
    }

    /// Help costs nothing: no root, no build.
    @Test
    void helpsAnybody() throws Exception {
        replace("id", "echo 1000");
        remove("mvn", "java", "javac");

        var outcome = loam(List.of(), "--help");
        assertThat(outcome.exitCode()).isZero();
        assertThat(outcome.output()).startsWith("Usage: ./loam COMMAND");
    }

    private static void assertRefusal(Outcome outcome, String... words) {
        assertThat(outcome.output()).startsWith("loam: ").contains(words);
        assertThat(outcome.output().strip().lines()).as("one sentence").hasSize(1);
        assertThat(outcome.exitCode()).isEqualTo(2);
    }

    private void remove(String... names) throws IOException {
        for (var name : Set.of(names)) {
            Files.deleteIfExists(programs.resolve(name));
        }
    }

    private void replace(String name, String script) throws IOException {
        remove(name);
        var file = Files.writeString(programs.resolve(name), "#!/bin/sh\n" + script + "\n");
        assertThat(file.toFile().setExecutable(true)).isTrue();
    }

    private Outcome loam(List<String> before, String... arguments) throws IOException, InterruptedException {
        var command = new ArrayList<>(before);
        command.add(TOP.resolve("loam").toString());
        command.addAll(List.of(arguments));
        var builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("PATH", programs.toString());
        builder.environment().put("HOME", "/nonexistent");
        if (!before.isEmpty()) {
            builder.environment().remove("JAVA_HOME");
        }
        var process = builder.start();
        var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), output);
    }
}
