package io.loam.lab.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;

/// One figure of one candidate, round by round. A round that failed is kept with its reason and takes no part in the
/// figures. Not safe for several threads.
public final class Series {
    /// Above this the machine was too noisy for a verdict.
    public static final double NOISY = 0.30;

    private final List<Double> values = new ArrayList<>();
    private final List<String> failures = new ArrayList<>();

    public void add(double value) {
        if (Double.isFinite(value)) {
            values.add(value);
        } else {
            failures.add("not a number");
        }
    }

    public void fail(String reason) {
        failures.add(reason);
    }

    public List<Double> values() {
        return List.copyOf(values);
    }

    public List<String> failures() {
        return List.copyOf(failures);
    }

    /// Empty where no round succeeded.
    public OptionalDouble median() {
        if (values.isEmpty()) {
            return OptionalDouble.empty();
        }
        var sorted = values.stream().sorted().toList();
        int middle = sorted.size() / 2;
        return OptionalDouble.of(
                sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2);
    }

    /// From the lowest to the highest round, as a share of the median; 0 with fewer than two rounds.
    public double spread() {
        if (values.size() < 2) {
            return 0;
        }
        double low = values.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
        double high = values.stream().mapToDouble(Double::doubleValue).max().orElseThrow();
        return high == low ? 0 : (high - low) / median().orElseThrow();
    }

    public boolean isNoisy() {
        return spread() > NOISY;
    }
}
