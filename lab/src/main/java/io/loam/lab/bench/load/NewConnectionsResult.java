package io.loam.lab.bench.load;

import org.jspecify.annotations.Nullable;

/// @param done connections that were answered
/// @param failed those that were not
/// @param firstFailure null where none failed
public record NewConnectionsResult(
        long done, long failed, double perSecond, @Nullable String firstFailure) {}
