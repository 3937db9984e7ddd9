package io.loam.runtime.metrics;

/// Which end of a connection counts it.
public enum Reporter {
    SOURCE("source"),
    DESTINATION("destination");

    private final String label;

    Reporter(String label) {
        this.label = label;
    }

    public String label() {
        return label;
    }
}
