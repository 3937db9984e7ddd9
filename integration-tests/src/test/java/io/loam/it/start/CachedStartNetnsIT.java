package io.loam.it.start;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.AgentJvm;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The AOT cache as `./loam` makes it, from copies of the jar files of this build, and the agents of a lab that is
/// started from these.
final class CachedStartNetnsIT {
    private static final Path JAVA = Path.of(System.getProperty("java.home"), "bin", "java");
    private static final String MAIN = "io.loam.agent.Main";
    private static final String LAB = "aot" + ProcessHandle.current().pid() % 100_000;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private static final String ONE_NODE = """
            apiVersion: v1
            kind: Node
            metadata: {name: one}
            """;

    @TempDir
    private static Path folder = Path.of("");

    /// Of jar files in one folder, the cache beside them.
    private static String classPath = "";

    @BeforeAll
    static void train() throws Exception {
        var jars = new ArrayList<String>();
        for (var entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (entry.endsWith(".jar")) {
                var copy = folder.resolve(Path.of(entry).getFileName());
                jars.add(Files.copy(Path.of(entry), copy, StandardCopyOption.REPLACE_EXISTING)
                        .toString());
            }
        }
        classPath = String.join(File.pathSeparator, jars);
        var command = new ArrayList<>(
                List.of("unshare", "--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh", JAVA.toString()));
        command.addAll(AgentJvm.flags(2));
        command.addAll(List.of(
                "-XX:AOTCacheOutput=" + folder.resolve("agent.aot"), "-cp", classPath, "io.loam.agent.AgentTraining"));
        var log = folder.resolve("training.log");
        var training = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertThat(training.waitFor(PATIENCE.toSeconds() * 2, TimeUnit.SECONDS)).isTrue();
        assertThat(training.exitValue()).as(Files.readString(log)).isZero();
        assertThat(folder.resolve("agent.aot")).isNotEmptyFile();
    }

    @AfterEach
    void down() throws Exception {
        loam("down", LAB);
    }

    /// What proc(5) lists among an agent's mappings is what the JVM has taken its classes from.
    @Test
    void agentsOfALabTakeTheirClassesFromTheCache() throws Exception {
        var file = Files.writeString(folder.resolve("one.yaml"), ONE_NODE);

        assertThat(loam("up", "--name", LAB, file.toString())).isZero();

        var agent = agentOfTheLab();
        assertThat(Files.readString(Path.of("/proc", Long.toString(agent.pid()), "maps")))
                .contains(folder.resolve("agent.aot").toString());
        assertThat(Files.readString(folder.resolve("loam.log"))).doesNotContain("[aot]");
    }

    /// A JVM that was replaced, or an operator's own flags, must not keep a node without its agent.
    @Test
    void aCacheOfOtherFlagsKeepsNobodyFromStarting() throws Exception {
        var flags = new ArrayList<>(AgentJvm.flags(2));
        flags.remove("-XX:+UseCompactObjectHeaders");
        flags.addAll(AgentJvm.cacheFlags(classPath));

        var output = new StringBuilder();
        int exitCode = run(output, flags);

        assertThat(exitCode).isEqualTo(2);
        assertThat(output).contains("NODE_NAME: not set", "Unable to use AOT cache");
    }

    @Test
    void theCacheFitsTheFlagsAndTheClassPathOfTheAgent() throws Exception {
        var flags = new ArrayList<>(AgentJvm.flags(2));
        flags.addAll(AgentJvm.cacheFlags(classPath));
        flags.add("-XX:AOTMode=on"); // whatever does not fit is an error now

        var output = new StringBuilder();
        int exitCode = run(output, flags);

        assertThat(exitCode).as(output.toString()).isEqualTo(2);
        assertThat(output).contains("NODE_NAME: not set");
    }

    /// An agent without settings: it says so and ends with 2.
    private static int run(StringBuilder output, List<String> flags) throws Exception {
        var command = new ArrayList<>(List.of(JAVA.toString()));
        command.addAll(flags);
        command.addAll(List.of("-cp", classPath, MAIN));
        var builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().clear();
        var process = builder.start();
        output.append(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    /// As `./loam` runs it.
    private static int loam(String... arguments) throws Exception {
        var command = new ArrayList<>(List.of(
                JAVA.toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                classPath,
                "io.loam.cli.Main"));
        command.addAll(List.of(arguments));
        var process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("loam.log").toFile())
                .start();
        assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    private static ProcessHandle agentOfTheLab() throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (System.nanoTime() < deadline) {
            var agent = ProcessHandle.allProcesses()
                    .filter(process -> runs(process, MAIN, "/" + LAB + "/"))
                    .findFirst();
            if (agent.isPresent()) {
                return agent.get();
            }
            Thread.sleep(20);
        }
        throw new AssertionError("no agent of lab " + LAB);
    }

    /// @param inEnvironment what its environment names
    private static boolean runs(ProcessHandle process, String program, String inEnvironment) {
        var directory = Path.of("/proc", Long.toString(process.pid()));
        try {
            return Files.readString(directory.resolve("cmdline")).contains(program)
                    && Files.readString(directory.resolve("environ")).contains(inEnvironment);
        } catch (IOException _) { // ended meanwhile
            return false;
        }
    }
}
