package io.loam.protocol.hbone;

import org.jspecify.annotations.Nullable;

/// The 200 that opens a stream.
///
/// @param baggage describes the destination workload; absent when the server does not say
public record ConnectResponse(@Nullable String baggage) {
    /// An answer without a description of the destination.
    public static final ConnectResponse PLAIN = new ConnectResponse(null);
}
