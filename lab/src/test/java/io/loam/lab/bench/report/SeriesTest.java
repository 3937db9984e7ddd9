package io.loam.lab.bench.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class SeriesTest {
    private final Series series = new Series();

    @Test
    void takesTheMiddleOfAnOddNumberOfRounds() {
        add(3, 100, 1);

        assertThat(series.median()).hasValue(3);
    }

    @Test
    void takesTheMeanOfTheTwoInTheMiddleOfAnEvenNumber() {
        add(4, 1, 100, 2);

        assertThat(series.median()).hasValue(3);
    }

    @Test
    void leavesFailedRoundsOutOfTheFigure() {
        add(10);
        series.fail("the load generator ended");
        series.add(Double.NaN);

        assertThat(series.median()).hasValue(10);
        assertThat(series.failures()).containsExactly("the load generator ended", "not a number");
    }

    @Test
    void hasNoMedianWhereEveryRoundFailed() {
        series.fail("refused");

        assertThat(series.median()).isEmpty();
        assertThat(series.isNoisy()).isFalse();
    }

    @Test
    void isNoisyWhereRoundsLieFurtherApartThanThirtyPercentOfTheMedian() {
        add(100, 115, 130);
        assertThat(series.spread()).isBetween(0.26, 0.27);
        assertThat(series.isNoisy()).isFalse();

        add(150);
        assertThat(series.isNoisy()).isTrue();
    }

    private void add(double... values) {
        for (double value : values) {
            series.add(value);
        }
    }
}
