package io.loam.runtime.time;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class BackoffTest {
    @Test
    void doublesUpToTheCapAndStartsAgainAfterASuccess() {
        var backoff = new Backoff(Duration.ofMillis(10), Duration.ofMillis(50), 0, new SplittableRandom(1));
        var pauses = new ArrayList<Long>();
        for (int i = 0; i < 5; i++) {
            pauses.add(backoff.pause().toMillis());
        }
        backoff.reset();
        pauses.add(backoff.pause().toMillis());

        assertThat(pauses).containsExactly(10L, 20L, 40L, 50L, 50L, 10L);
    }

    @Test
    void jitterStaysWithinItsShareAndUsesIt() {
        var random = new SplittableRandom(7);
        long least = Long.MAX_VALUE;
        long most = 0;
        for (int i = 0; i < 10_000; i++) {
            long pause = new Backoff(Duration.ofSeconds(1), Duration.ofSeconds(9), 0.2, random)
                    .pause()
                    .toMillis();
            least = Math.min(least, pause);
            most = Math.max(most, pause);
        }

        assertThat(least).isBetween(800L, 805L);
        assertThat(most).isBetween(1_195L, 1_200L);
    }
}
