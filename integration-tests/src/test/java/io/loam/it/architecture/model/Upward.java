package io.loam.it.architecture.model;

import io.loam.it.architecture.agent.Kernel;

/// The lowest layer using a program.
public final class Upward {
    public Kernel program() {
        return new Kernel();
    }
}
