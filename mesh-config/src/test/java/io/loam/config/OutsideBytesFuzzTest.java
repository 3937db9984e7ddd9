package io.loam.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// What users write, as any bytes: a file gives objects, or problems that name its place; never an exception. Each
/// build
/// runs what lies in the resources beside this class; CONTRIBUTING says how to look for more.
class OutsideBytesFuzzTest {
    @FuzzTest(maxDuration = "10m")
    void yaml(byte[] input) {
        var read = new ConfigReader().readText(new String(input, StandardCharsets.UTF_8), Path.of("mesh.yaml"));

        if (!read.rejected().isEmpty()) {
            assertThat(read.problems()).isNotEmpty();
        }
        assertThat(read.problems())
                .allSatisfy(problem ->
                        assertThat(problem.toString()).startsWith("mesh.yaml").doesNotContain("\n"));
        assertThat(read.objectsKeepingLastGood(read.objects())).containsAll(read.objects());
    }
}
