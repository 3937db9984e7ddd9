package io.loam.lab.control;

import io.loam.config.object.MeshObject;
import io.loam.config.object.ObjectKey;
import io.loam.config.object.ServiceObject;
import io.loam.config.object.ServiceObject.IpFamily;
import io.loam.config.object.ServiceObject.IpFamilyPolicy;
import java.math.BigInteger;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Gives services their virtual addresses, of 10.96.0.0/16 and fd00:96::/112. A service keeps its addresses as long as
/// it is written. Not for several threads.
final class ServiceAddresses {
    /// Those below belong to the cluster itself; 10.96.0.10 is DNS.
    private static final int FIRST = 0x100;

    private static final int LAST = 0xfffe;
    private static final InetAddress IPV4_RANGE = address("10.96.0.0");
    private static final InetAddress IPV6_RANGE = address("fd00:96::");

    private final Map<ObjectKey, Map<IpFamily, InetAddress>> given = new HashMap<>();
    private int last = FIRST - 1;

    /// The same objects, with addresses in the services that have some to get.
    List<MeshObject> complete(List<MeshObject> objects) {
        var written = new HashSet<ObjectKey>();
        var taken = new HashSet<InetAddress>();
        for (var object : objects) {
            if (object instanceof ServiceObject service) {
                written.add(service.key());
                taken.addAll(service.clusterIps());
            }
        }
        given.keySet().retainAll(written);
        given.values().forEach(addresses -> taken.addAll(addresses.values()));
        return objects.stream()
                .map(object -> object instanceof ServiceObject service && hasAddresses(service)
                        ? complete(service, taken)
                        : object)
                .toList();
    }

    private static boolean hasAddresses(ServiceObject service) {
        return !service.headless() && service.type() != ServiceObject.Type.EXTERNAL_NAME;
    }

    private MeshObject complete(ServiceObject service, Set<InetAddress> taken) {
        var own = given.computeIfAbsent(service.key(), _ -> new HashMap<>());
        var addresses = new ArrayList<InetAddress>();
        for (var family : families(service)) {
            service.clusterIps().stream()
                    .filter(ip -> family(ip) == family)
                    .findFirst()
                    .ifPresentOrElse(
                            addresses::add, () -> addresses.add(own.computeIfAbsent(family, _ -> next(family, taken))));
        }
        return service.withClusterIps(addresses);
    }

    /// As Kubernetes defaults them on a cluster of both families, IPv4 first.
    private static List<IpFamily> families(ServiceObject service) {
        var written = new ArrayList<>(service.ipFamilies());
        for (var ip : service.clusterIps()) {
            if (!written.contains(family(ip))) {
                written.add(family(ip));
            }
        }
        var first = written.isEmpty() ? IpFamily.IPV4 : written.getFirst();
        var dual = service.ipFamilyPolicy() == IpFamilyPolicy.PREFER_DUAL_STACK
                || service.ipFamilyPolicy() == IpFamilyPolicy.REQUIRE_DUAL_STACK
                || (service.ipFamilyPolicy() == IpFamilyPolicy.UNSPECIFIED && written.size() > 1);
        return dual ? List.of(first, first == IpFamily.IPV4 ? IpFamily.IPV6 : IpFamily.IPV4) : List.of(first);
    }

    private static IpFamily family(InetAddress ip) {
        return ip instanceof Inet6Address ? IpFamily.IPV6 : IpFamily.IPV4;
    }

    private InetAddress next(IpFamily family, Set<InetAddress> taken) {
        for (int tried = FIRST; tried <= LAST; tried++) {
            last = last >= LAST ? FIRST : last + 1;
            var candidate = plus(family == IpFamily.IPV4 ? IPV4_RANGE : IPV6_RANGE, last);
            if (taken.add(candidate)) {
                return candidate;
            }
        }
        throw new IllegalStateException("no service address is left in " + IPV4_RANGE + "/16 (expected: at most "
                + (LAST - FIRST) + " services)");
    }

    private static InetAddress plus(InetAddress base, int offset) {
        var bytes = new BigInteger(1, base.getAddress())
                .add(BigInteger.valueOf(offset))
                .toByteArray();
        var address = new byte[base.getAddress().length];
        int length = Math.min(bytes.length, address.length);
        System.arraycopy(bytes, bytes.length - length, address, address.length - length, length);
        try {
            return InetAddress.getByAddress(address);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e); // only for a wrong length
        }
    }

    private static InetAddress address(String literal) {
        try {
            return InetAddress.getByName(literal);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(literal, e);
        }
    }
}
