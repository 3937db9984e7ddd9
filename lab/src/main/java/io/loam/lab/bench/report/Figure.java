package io.loam.lab.bench.report;

/// One thing that is measured of every candidate.
///
/// @param group heading in the table, and one plot on the page
/// @param name unique together with `group`
/// @param unit as printed
/// @param moreIsBetter throughput; not latency, CPU, memory
public record Figure(String group, String name, String unit, boolean moreIsBetter) {
    public static Figure more(String group, String name, String unit) {
        return new Figure(group, name, unit, true);
    }

    public static Figure less(String group, String name, String unit) {
        return new Figure(group, name, unit, false);
    }

    public String title() {
        return group + ", " + name;
    }
}
