package io.loam.cli.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Starting a lab whose program is a stand-in, in a process of its own as the real one.
final class LabStartTest {
    @TempDir
    private Path root;

    private final StringWriter shown = new StringWriter();

    /// `up --timeout`: the command gives up waiting, the lab goes on.
    @Test
    void aLabThatIsNotReadyInTimeStaysUpAndIsToldApart() throws Exception {
        var file = Files.writeString(root.resolve("shop.yaml"), "");

        assertThatThrownBy(() -> start(file, Duration.ofSeconds(3)))
                .isInstanceOf(LabException.class)
                .hasMessage(
                        "lab 'slow': not ready within 3 s, still pending: pod a/b: is not ready; node n: has no agent;"
                                + " it stays up: 'loam get pods', 'loam logs POD', 'loam down slow'");

        assertThat(shown.toString()).isEqualTo("  waiting for 1 pod, 1 node: pod a/b: is not ready\n");
        assertThat(new LabDirectory(root).running("slow")).as("it stays up").isPresent();
        var announced = new ObjectMapper().readTree(Files.readAllBytes(root.resolve("slow/api.json")));
        ProcessHandle.of(announced.path("pid").asLong()).orElseThrow().destroyForcibly();
    }

    @Test
    void aLabThatEndsAtOnceIsQuotedWithItsLastWords() throws Exception {
        var file = Files.writeString(root.resolve("broken.yaml"), "");

        assertThatThrownBy(() -> start(file, Duration.ofSeconds(20)))
                .isInstanceOf(LabException.class)
                .hasMessageStartingWith("lab 'slow': its process ended with code 1: loam: no room for another lab");
    }

    private void start(Path file, Duration timeout) throws LabException {
        var labs = new LabDirectory(root);
        var process = new LabProcess(labs, SlowLab.class.getName());
        var progress = new StartProgress(new PrintWriter(shown), false, System::nanoTime);
        new LabStart(labs, process).start("slow", List.of(file), null, timeout, progress);
    }
}
