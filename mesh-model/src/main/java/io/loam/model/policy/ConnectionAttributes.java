package io.loam.model.policy;

import io.loam.model.identity.SpiffeId;
import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/// What is known about a connection when it is authorized.
///
/// @param peer from the verified certificate; null for plaintext
/// @param source address of the TCP peer
/// @param destination address of the workload, never a virtual address
/// @param destinationPort the application's port, never 15008
public record ConnectionAttributes(
        @Nullable SpiffeId peer, InetAddress source, InetAddress destination, int destinationPort) {}
