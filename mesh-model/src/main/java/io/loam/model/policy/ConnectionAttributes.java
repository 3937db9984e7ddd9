package io.loam.model.policy;

import io.loam.model.address.IpBits;
import io.loam.model.identity.SpiffeId;
import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/// What is known about a connection when it is authorized. Made once per connection and kept, so that it can be
/// decided again when policies change.
///
/// @param peer from the verified certificate; null for plaintext
/// @param source address of the TCP peer
/// @param destination address of the workload, never a virtual address
/// @param destinationPort the application's port, never 15008
public record ConnectionAttributes(@Nullable SpiffeId peer, IpBits source, IpBits destination, int destinationPort) {
    public ConnectionAttributes(
            @Nullable SpiffeId peer, InetAddress source, InetAddress destination, int destinationPort) {
        this(peer, IpBits.of(source), IpBits.of(destination), destinationPort);
    }
}
