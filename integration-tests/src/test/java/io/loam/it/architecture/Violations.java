package io.loam.it.architecture;

/// A little mesh of classes that breaks each rule of `ArchitectureTest` once, to prove that the rules bite.
public final class Violations {
    public static final String ROOT = "io.loam.it.architecture.";

    private Violations() {}
}
