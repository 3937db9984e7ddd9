package io.loam.jmh;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ResultsTest {
    private static final HostFacts HOST = new HostFacts("processor <1>", 2, "Linux 6.18", "OpenJDK 25");

    @TempDir
    private Path directory;

    @Test
    void keepsWhatEarlierRunsMeasured() throws Exception {
        var results = new Results(directory.resolve("new/results.jsonl"));
        results.append(List.of(measured("2026-01-01T00:00:00Z", 10)));
        results.append(List.of(measured("2026-01-02T00:00:00Z", 9)));

        assertThat(results.all())
                .containsExactly(measured("2026-01-01T00:00:00Z", 10), measured("2026-01-02T00:00:00Z", 9));
    }

    @Test
    void namesTheLineThatIsNoResult() throws Exception {
        var file = directory.resolve("results.jsonl");
        var results = new Results(file);
        results.append(List.of(measured("2026-01-01T00:00:00Z", 10)));
        Files.writeString(file, Files.readString(file) + "{}\n");

        assertThatThrownBy(results::all).isInstanceOf(IOException.class).hasMessageContaining("results.jsonl:2");
    }

    @Test
    void drawsOnePlotForEachBenchmarkAndItsParameters() {
        var page = new Plot(List.of(measured("2026-01-01T00:00:00Z", 10), measured("2026-01-02T00:00:00Z", 9))).html();

        assertThat(page).containsOnlyOnce("<svg").containsOnlyOnce("PolicyBenchmark.refused {policies=10}</td>");
        assertThat(page).contains("processor &lt;1>").doesNotContain("processor <1>");
        assertThat(page.split("<circle", -1)).hasSize(3);
    }

    private static Measurement measured(String date, double score) {
        return new Measurement(
                "PolicyBenchmark.refused",
                Map.of("policies", "10"),
                Instant.parse(date),
                "0123abc",
                HOST,
                false,
                score,
                0.5,
                "ns/op",
                0.25);
    }
}
