package io.loam.agent.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.AgentJvm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hazard P11: with all direct memory taken a connection is refused or served, and never forgotten; no loop
/// ends; and when there is memory again everybody is served, by the same process. The error comes out of Java
/// code, so the JVM's own flag (ExitOnOutOfMemoryError) does not hear of it. In a process of its own, with the
/// options of an agent: with those of a test each buffer that is refused would hold up its loop for half a
/// second.
final class MemoryRunsOutTest {
    private static final Pattern REPORT =
            Pattern.compile("memory (.*): served (\\d+) forgotten (\\d+) loops alive (\\d+) of (\\d+)");

    @TempDir
    private Path folder = Path.of("");

    @Test
    void withoutMemoryConnectionsAreRefusedAndLoopsGoOn() throws Exception {
        var command = new ArrayList<String>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(AgentJvm.flags(2));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), WithoutMemory.class.getName()));
        var output = folder.resolve("output");
        var process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        boolean ended = process.waitFor(3, TimeUnit.MINUTES);
        process.destroyForcibly().waitFor();
        var said = Files.readString(output);
        assertThat(ended).as(said).isTrue();

        var reports = REPORT.matcher(said).results().toList();
        int cold = served(reports, "none");
        int enough = served(reports, "enough,");
        int warm = served(reports, "short");
        int again = served(reports, "enough again");
        System.out.printf(
                "hazard P11: %d connections at once with no direct memory left: %d served by cold loops, %d by warm ones, none"
                        + " of the others forgotten; with memory again %d served, all loops alive, 0 restarts%n",
                WithoutMemory.CONNECTIONS, cold, warm, again);
        assertThat(reports).as(said).isNotEmpty().allSatisfy(report -> {
            assertThat(report.group(3)).as("forgotten").isEqualTo("0");
            assertThat(report.group(4)).isEqualTo(report.group(5));
        });
        assertThat(cold).as("memory was short: %s", said).isLessThan(WithoutMemory.CONNECTIONS);
        assertThat(enough).as(said).isEqualTo(WithoutMemory.CONNECTIONS);
        assertThat(again).as(said).isEqualTo(WithoutMemory.CONNECTIONS);
        assertThat(process.exitValue()).isZero();
    }

    /// In the last report whose name begins so; -1 if there is none.
    private static int served(List<MatchResult> reports, String memory) {
        return reports.stream()
                .filter(report -> report.group(1).startsWith(memory))
                .mapToInt(report -> Integer.parseInt(report.group(2)))
                .reduce(-1, (_, last) -> last);
    }
}
