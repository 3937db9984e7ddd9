package io.loam.model.decision;

import io.loam.model.service.Service;
import io.loam.model.service.Service.IpFamilies;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.List;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// An endpoint that is known by its host name only: which of the addresses that the name has is dialled (wire
/// reference, 3.2: a random one, of the family that was asked for if there is one).
public final class NamedEndpoint {
    private NamedEndpoint() {}

    /// @param addresses what resolvers say; nobody has looked at them
    /// @param service whose families count; null for none
    /// @param requested where the application wanted to go: its family is preferred
    /// @return null if none of them can be used
    public static @Nullable InetAddress choose(
            List<InetAddress> addresses, @Nullable Service service, InetAddress requested, RandomGenerator random) {
        var families = service == null ? IpFamilies.AUTOMATIC : service.ipFamilies();
        boolean ipv4 = requested instanceof Inet4Address;
        var like = random(addresses, families, ipv4, random);
        return like != null ? like : random(addresses, families, !ipv4, random);
    }

    private static @Nullable InetAddress random(
            List<InetAddress> addresses, IpFamilies families, boolean ipv4, RandomGenerator random) {
        boolean allowed = switch (families) {
            case AUTOMATIC, DUAL -> true;
            case IPV4_ONLY -> ipv4;
            case IPV6_ONLY -> !ipv4;
        };
        if (!allowed) {
            return null;
        }
        InetAddress chosen = null;
        int seen = 0;
        for (var address : addresses) {
            if (address instanceof Inet4Address == ipv4 && isSomewhereElse(address)) {
                seen++;
                if (seen == 1 || random.nextInt(seen) == 0) { // each is the chosen one with the same probability
                    chosen = address;
                }
            }
        }
        return chosen;
    }

    /// Whoever answers for a name must not lead connections that carry the agent's mark into the pod itself,
    /// where the agent's own ports are, or to where only its link reaches.
    private static boolean isSomewhereElse(InetAddress address) {
        return !address.isLoopbackAddress()
                && !address.isAnyLocalAddress()
                && !address.isLinkLocalAddress()
                && !address.isMulticastAddress();
    }
}
