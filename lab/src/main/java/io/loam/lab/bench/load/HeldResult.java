package io.loam.lab.bench.load;

import org.jspecify.annotations.Nullable;

/// @param held connections that are open now
/// @param failure why it is fewer than asked for, else null
public record HeldResult(int held, @Nullable String failure) {}
