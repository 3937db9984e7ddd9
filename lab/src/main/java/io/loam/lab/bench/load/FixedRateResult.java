package io.loam.lab.bench.load;

import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/// What a fixed rate came to.
///
/// @param sent requests of the schedule
/// @param answered those of them that were answered
/// @param perSecond the rate at which answers came
/// @param p50Micros and the others: time from the moment a request was due to the end of its answer
/// @param failure why there are no figures, null where there are
public record FixedRateResult(
        long sent,
        long answered,
        double perSecond,
        double p50Micros,
        double p90Micros,
        double p99Micros,
        double p999Micros,
        @Nullable String failure) {
    static FixedRateResult failed(String reason) {
        return new FixedRateResult(0, 0, 0, 0, 0, 0, 0, reason);
    }

    static FixedRateResult of(Histogram nanos, long sent, long answered, double perSecond) {
        return new FixedRateResult(
                sent,
                answered,
                perSecond,
                micros(nanos, 50),
                micros(nanos, 90),
                micros(nanos, 99),
                micros(nanos, 99.9),
                answered < sent ? (sent - answered) + " of " + sent + " requests were not answered" : null);
    }

    private static double micros(Histogram nanos, double percentile) {
        return nanos.getValueAtPercentile(percentile) / 1e3;
    }

    /// @param leastShare of the rate that has to be reached
    /// @return why the run says nothing about this rate, or null if it does
    public @Nullable String voidFor(int rate, double leastShare) {
        if (failure != null) {
            return failure;
        }
        return perSecond < rate * leastShare ? "missed its rate: %.0f/s".formatted(perSecond) : null;
    }
}
