package io.loam.model.decision;

import io.loam.model.identity.SpiffeId;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Where a captured connection goes. Addresses are unresolved where only a host name is known: the one who
/// dials resolves them, on demand and without caching longer than DNS says, and takes one by {@link
/// NamedEndpoint}.
public sealed interface OutboundRoute {
    /// Through HBONE.
    ///
    /// @param peer the address to open a tunnel to; unresolved for a peer that has a host name only, see `at`
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

        /// The same tunnel to an address that the peer's host name has. An endpoint is told its own address;
        /// the authority that a waypoint is sent stays what the application asked for.
        public Tunnel at(InetAddress address) {
            var named =
                    via == Via.DIRECT ? Authority.text(new InetSocketAddress(address, portOf(authority))) : authority;
            var resolved = new InetSocketAddress(address, peer.getPort());
            return new Tunnel(resolved, named, expectedIdentities, destination, service, via);
        }

        private static int portOf(String authority) {
            return Integer.parseInt(authority, authority.lastIndexOf(':') + 1, authority.length(), 10);
        }
    }

    /// Without a tunnel and without identity.
    ///
    /// @param target unresolved for an endpoint that has a host name only
    /// @param destination the endpoint, or null where the mesh knows nothing about the target
    record Plaintext(
            InetSocketAddress target,
            @Nullable Workload destination,
            @Nullable Service service) implements OutboundRoute {}

    /// Not at all; the connection is closed.
    ///
    /// @param detail for people: what was looked for and what was found
    /// @param service the service the application asked for, if it asked for one
    record Refused(
            RefusalReason reason, String detail, @Nullable Service service) implements OutboundRoute {}

    /// What stands at the end of a tunnel.
    enum Via {
        DIRECT,
        SERVICE_WAYPOINT,
        WORKLOAD_WAYPOINT
    }
}
