package io.loam.it.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The demo holds what it announces, in the time it announces, and cleans up.
final class DemoNetnsIT {
    @Test
    void everyClaimHolds(@TempDir Path work) throws Exception {
        var started = System.nanoTime();

        var outcome = LoamProgram.demo(
                "--name",
                "itdemo",
                "--samples",
                LoamProgram.TOP.resolve("samples").toString(),
                "--work",
                work.toString());

        assertThat(outcome.exitCode()).as(outcome.output()).isZero();
        assertThat(outcome.output())
                .contains("Everything came out as announced")
                .doesNotContain(" NO\n");
        assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(Duration.ofMinutes(2));
        assertThat(Path.of("/run/loam/itdemo")).doesNotExist();
        assertThat(Path.of("/run/netns").toFile().list((_, name) -> name.startsWith("loam-itdemo-")))
                .isEmpty();
    }
}
