package io.loam.runtime.tunnel;

import io.loam.model.identity.SpiffeId;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Set;

/// What two streams must have in common to ride one tunnel. Compared in full at every checkout: a tunnel proves one
/// source to one destination, and a hash that happens to match proves nothing (hazard T18).
///
/// @param source identity whose certificate the tunnel presents
/// @param sourceAddress address the tunnel's socket is bound to: the destination and its network policy see it
/// @param destinations identities of which the peer must prove one; never empty
/// @param destination address and port of the peer, port 15008 as a rule
public record TunnelKey(
        SpiffeId source, InetAddress sourceAddress, Set<SpiffeId> destinations, InetSocketAddress destination) {
    public TunnelKey {
        destinations = Set.copyOf(destinations);
        if (destinations.isEmpty()) {
            throw new IllegalArgumentException("destinations: empty (expected: at least one identity, "
                    + "because a peer that may be anybody is not authenticated); destination " + destination);
        }
        if (destination.isUnresolved()) {
            throw new IllegalArgumentException("destination: " + destination + " is unresolved (expected: an address)");
        }
    }
}
