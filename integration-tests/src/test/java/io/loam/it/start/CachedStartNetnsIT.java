package io.loam.it.start;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.AgentJvm;
import io.loam.it.bench.MeshBench;
import io.loam.it.programs.Programs;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The AOT cache as `./loam` makes it, from copies of the jar files of this build ([Programs]), and the agents of a lab
/// that is started from these.
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
    private Path directory;

    private static final Path CACHE = Programs.folder().resolve("agent.aot");
    private static final String CLASS_PATH = Programs.classPath();

    @BeforeAll
    static void theTrainingsMadeCaches() {
        for (var cache : List.of("agent.aot", "lab.aot", "command.jsa")) {
            assertThat(Programs.folder().resolve(cache))
                    .as(() -> "see what the trainings said in " + Programs.folder())
                    .isNotEmptyFile();
        }
    }

    @AfterEach
    void down() throws Exception {
        loam("down", LAB);
    }

    /// What proc(5) lists among an agent's mappings is what the JVM has taken its classes from.
    @Test
    void agentsOfALabTakeTheirClassesFromTheCache() throws Exception {
        var file = Files.writeString(directory.resolve("one.yaml"), ONE_NODE);

        assertThat(loam("up", "--name", LAB, file.toString())).isZero();

        var agent = awaitProcess(MAIN, "/" + LAB + "/");
        assertThat(Files.readString(Path.of("/proc", Long.toString(agent.pid()), "maps")))
                .contains(CACHE.toString());
        awaitMapping(agent, Programs.folder().resolve("native") + "/libnetty_tcnative");
        assertThat(Files.readString(directory.resolve("loam.log"))).doesNotContain("[aot]", "[cds]");
        var lab = labProcess();
        assertThat(Files.readString(Path.of("/proc", Long.toString(lab.pid()), "maps")))
                .contains(Programs.folder().resolve("lab.aot").toString());
    }

    /// A JVM that was replaced, or an operator's own flags, must not keep a node without its agent.
    @Test
    void aCacheOfOtherFlagsKeepsNobodyFromStarting() throws Exception {
        var flags = new ArrayList<>(AgentJvm.flags(2));
        flags.remove("-XX:+UseCompactObjectHeaders");
        flags.addAll(AgentJvm.cacheFlags(CLASS_PATH));

        var output = new StringBuilder();
        int exitCode = run(output, flags);

        assertThat(exitCode).isEqualTo(2);
        assertThat(output).contains("NODE_NAME: not set", "Unable to use AOT cache");
    }

    @Test
    void theCacheFitsTheFlagsAndTheClassPathOfTheAgent() throws Exception {
        var flags = new ArrayList<>(AgentJvm.flags(2));
        flags.addAll(AgentJvm.cacheFlags(CLASS_PATH));
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
        command.addAll(List.of("-cp", CLASS_PATH, MAIN));
        var builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().clear();
        var process = builder.start();
        output.append(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    /// As `./loam` runs it.
    private int loam(String... arguments) throws Exception {
        var command = new ArrayList<>(List.of(JAVA.toString()));
        command.addAll(Programs.commandFlags());
        command.addAll(List.of("-cp", CLASS_PATH, "io.loam.cli.Main"));
        command.addAll(List.of(arguments));
        var process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("loam.log").toFile())
                .start();
        assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    private static ProcessHandle labProcess() throws IOException {
        var announced = Files.readString(Path.of("/run/loam", LAB, "api.json"));
        var pid = Pattern.compile("\"pid\":(\\d+)").matcher(announced);
        assertThat(pid.find()).as(announced).isTrue();
        return ProcessHandle.of(Long.parseLong(pid.group(1))).orElseThrow();
    }

    /// Libraries are loaded on the way to ready.
    private static void awaitMapping(ProcessHandle process, String file) throws Exception {
        var maps = Path.of("/proc", Long.toString(process.pid()), "maps");
        MeshBench.await(
                "a mapping of " + file, PATIENCE, () -> Files.readString(maps).contains(file));
    }

    private static ProcessHandle awaitProcess(String program, String inEnvironment) throws Exception {
        return MeshBench.awaitValue(
                "a process of " + program + " of lab " + LAB,
                PATIENCE,
                () -> ProcessHandle.allProcesses()
                        .filter(process -> runs(process, program, inEnvironment))
                        .findFirst());
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
