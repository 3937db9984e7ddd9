package io.loam.model.decision;

import io.loam.model.identity.SpiffeId;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.net.InetSocketAddress;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Where a captured connection goes. Addresses are unresolved where only a host name is known: the one who dials
/// resolves them, on demand and without caching longer than DNS says.
public sealed interface OutboundRoute {
    /// Through HBONE.
    ///
    /// @param peer the address to open a tunnel to
    /// @param authority of the CONNECT request
    /// @param expectedIdentities the peer has to prove one of them; never empty
    /// @param destination the workload at the tunnel's end: the endpoint, or the waypoint on the way to it
    /// @param service the service the application asked for, if it asked for one
    record Tunnel(
            InetSocketAddress peer,
            String authority,
            Set<SpiffeId> expectedIdentities,
            Workload destination,
            @Nullable Service service,
            Via via)
            implements OutboundRoute {
        public Tunnel {
            expectedIdentities = Set.copyOf(expectedIdentities);
        }
    }

    /// Without a tunnel and without identity.
    ///
    /// @param destination the endpoint, or null where the mesh knows nothing about the target
    record Plaintext(
            InetSocketAddress target,
            @Nullable Workload destination,
            @Nullable Service service) implements OutboundRoute {}

    /// Not at all; the connection is closed.
    ///
    /// @param detail for people: what was looked for and what was found
    record Refused(RefusalReason reason, String detail) implements OutboundRoute {}

    /// What stands at the end of a tunnel.
    enum Via {
        DIRECT,
        SERVICE_WAYPOINT,
        WORKLOAD_WAYPOINT
    }
}
