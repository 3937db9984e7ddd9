package io.loam.it.samples;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.ConfigReader;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What the documentation tells people to run is free of problems.
final class SamplesTest {
    private static final Path SAMPLES = Path.of("..", "samples");

    @Test
    void shopAndItsPoliciesAreWithoutProblems() {
        var result = new ConfigReader()
                .read(List.of(
                        SAMPLES.resolve("shop"),
                        SAMPLES.resolve("shop-policies"),
                        SAMPLES.resolve("shop-outside"),
                        SAMPLES.resolve("shop-faults")));

        assertThat(result.problems()).isEmpty();
        assertThat(result.objects()).hasSizeGreaterThan(20);
    }
}
