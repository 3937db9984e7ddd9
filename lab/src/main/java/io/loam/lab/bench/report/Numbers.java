package io.loam.lab.bench.report;

/// Three digits that count, and no more than the measurement has.
final class Numbers {
    private Numbers() {}

    static String text(double value) {
        double size = Math.abs(value);
        var format = size >= 100 ? "%,.0f" : size >= 10 ? "%.1f" : size >= 0.1 || size == 0 ? "%.2f" : "%.3f";
        return format.formatted(value);
    }
}
