package io.loam.controlplane.push;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class PushScheduleTest {
    private static final long MS = 1_000_000;
    private final PushSchedule schedule = new PushSchedule(Duration.ofMillis(100), Duration.ofSeconds(1));

    @Test
    void isDueAfterAQuietTime() {
        schedule.changed(0);
        schedule.changed(60 * MS);

        assertThat(schedule.nanosUntilDue(100 * MS)).isEqualTo(60 * MS);
        assertThat(schedule.nanosUntilDue(160 * MS)).isZero();
    }

    /// Hazard P9: a change every 10 ms must not put off the first one for ever.
    @Test
    void isDueAfterTheLongestWaitHoweverManyChangesFollow() {
        for (long now = 0; now < 1_000 * MS; now += 10 * MS) {
            schedule.changed(now);
        }

        assertThat(schedule.nanosUntilDue(999 * MS)).isEqualTo(MS);
        assertThat(schedule.nanosUntilDue(1_000 * MS)).isZero();
    }

    @Test
    void startsANewBatchAfterOneWasTaken() {
        schedule.changed(0);
        schedule.taken();
        schedule.changed(5_000 * MS);

        assertThat(schedule.isPending()).isTrue();
        assertThat(schedule.nanosUntilDue(5_000 * MS)).isEqualTo(100 * MS);
    }
}
