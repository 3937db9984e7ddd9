package io.loam.model.workload;

/// Where a workload runs; "" where unknown.
public record Locality(String region, String zone, String subzone) {
    public static final Locality UNKNOWN = new Locality("", "", "");
}
