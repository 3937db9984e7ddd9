package io.loam.lab.bench.load;

import static org.assertj.core.api.Assertions.assertThat;

import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

final class FixedRateResultTest {
    @Test
    void isVoidWhereItMissedItsRate() {
        assertThat(result(1000, 1000, 970).voidFor(1000, 0.98)).isEqualTo("missed its rate: 970/s");
        assertThat(result(1000, 1000, 999).voidFor(1000, 0.98)).isNull();
    }

    @Test
    void isVoidWhereRequestsWereNotAnswered() {
        assertThat(result(1000, 998, 1000).voidFor(1000, 0.98)).isEqualTo("2 of 1000 requests were not answered");
    }

    private static FixedRateResult result(long sent, long answered, double perSecond) {
        return FixedRateResult.of(new Histogram(3), sent, answered, perSecond);
    }
}
