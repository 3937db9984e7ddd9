package io.loam.lab.process;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.object.Probe;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ProbeVerdictTest {
    /// One letter per attempt and per verdict: `+` well, `-` failed, `.` undecided.
    @ParameterizedTest(name = "success {0}, failure {1}: {2} -> {3}")
    @CsvSource({
        "1, 1, +-+, +-+",
        "1, 3, +, +",
        "1, 3, ---, ..-",
        "1, 3, --+--, ..+..",
        "1, 3, --+---, ..+..-",
        "1, 3, -----, ..---", // it stays failed, attempt by attempt
        "2, 1, ++-++, .+-.+",
        "3, 2, ++-+++, .....+",
    })
    void countsAttemptsInARow(int success, int failure, String attempts, String verdicts) {
        var verdict = new ProbeVerdict(new Probe(
                new Probe.Exec(List.of("true")),
                Duration.ZERO,
                Duration.ofSeconds(10),
                Duration.ofSeconds(1),
                success,
                failure));

        var said = attempts.chars()
                .mapToObj(attempt -> letter(verdict.attempt(attempt == '+')))
                .collect(Collectors.joining());

        assertThat(said).isEqualTo(verdicts);
    }

    private static String letter(ProbeVerdict.Outcome outcome) {
        return switch (outcome) {
            case WELL -> "+";
            case FAILED -> "-";
            case UNDECIDED -> ".";
        };
    }
}
