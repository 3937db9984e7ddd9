package io.loam.it.architecture.agent;

import io.loam.it.architecture.model.Upward;
import java.lang.foreign.Linker;

/// Calls the kernel from where it may not, and closes a cycle with the layer below.
public final class Kernel {
    public Linker linker(Upward below) {
        return below.program() == this ? Linker.nativeLinker() : null;
    }
}
