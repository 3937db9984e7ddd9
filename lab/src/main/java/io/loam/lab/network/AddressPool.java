package io.loam.lab.network;

import java.net.InetAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Gives pods addresses of their node's range, the same number in both families. A number that was given back comes up
/// again last, so that what still speaks to the old pod does not meet a new one at once. Not for several threads.
public final class AddressPool {
    private final Map<String, Integer> lastNumbers = new HashMap<>();

    /// @param taken addresses of pods that live, and those that pods ask for by name
    /// @return an IPv4 and an IPv6 address, or empty if the node's range is used up
    public Optional<List<InetAddress>> next(NodeSlot node, Set<InetAddress> taken) {
        int last = lastNumbers.getOrDefault(node.name(), 1);
        for (int tried = 0; tried < NodeSlot.LAST_POD - 1; tried++) {
            last = last >= NodeSlot.LAST_POD ? 2 : last + 1;
            var ips = List.of(node.podIpv4(last), node.podIpv6(last));
            if (ips.stream().noneMatch(taken::contains)) {
                lastNumbers.put(node.name(), last);
                return Optional.of(ips);
            }
        }
        return Optional.empty();
    }
}
