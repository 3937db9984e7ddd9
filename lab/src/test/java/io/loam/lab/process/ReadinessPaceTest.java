package io.loam.lab.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ReadinessPaceTest {
    private final ReadinessPace pace = new ReadinessPace(Duration.ofSeconds(1));

    @Test
    void whatIsNotReadyYetIsAskedSoonAndThenLessOften() {
        assertThat(millis(false, false, false, false, false, false, false))
                .containsExactly(50L, 100L, 200L, 400L, 800L, 1000L, 1000L);
    }

    @Test
    void whatWasReadyOnceIsAskedAtThePeriod() {
        assertThat(millis(false, false, true, true, false, false, false))
                .containsExactly(50L, 100L, 1000L, 1000L, 1000L, 1000L, 1000L);
    }

    private List<Long> millis(boolean... attempts) {
        var pauses = new ArrayList<Long>();
        for (boolean well : attempts) {
            pauses.add(pace.after(well).toMillis());
        }
        return pauses;
    }
}
