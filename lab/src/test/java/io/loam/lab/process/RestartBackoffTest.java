package io.loam.lab.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class RestartBackoffTest {
    private static final Duration SHORT = Duration.ofSeconds(2);

    private final RestartBackoff backoff = new RestartBackoff();

    @Test
    void doublesUpToItsLongest() {
        assertThat(IntStream.range(0, 8).mapToObj(_ -> backoff.afterRun(SHORT).toSeconds()))
                .containsExactly(1L, 2L, 4L, 8L, 16L, 30L, 30L, 30L);
    }

    @Test
    void beginsAgainAfterARunOfAMinute() {
        IntStream.range(0, 5).forEach(_ -> backoff.afterRun(SHORT));

        assertThat(backoff.afterRun(RestartBackoff.GOOD_RUN)).isEqualTo(RestartBackoff.FIRST);
        assertThat(backoff.afterRun(SHORT)).isEqualTo(Duration.ofSeconds(2));
    }

    @Test
    void aRunThatIsOneNanosecondShortOfAMinuteIsNotGood() {
        backoff.afterRun(SHORT);

        assertThat(backoff.afterRun(RestartBackoff.GOOD_RUN.minusNanos(1))).isEqualTo(Duration.ofSeconds(2));
    }
}
