package io.loam.lab.dns;

import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.RunningPod;
import io.loam.config.cluster.RunningPod.Phase;
import io.loam.config.object.ServiceObject;
import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The names of the cluster at one moment, by the Kubernetes DNS specification 1.1: services, headless services
/// with their pods, pods with a host name of their own. Immutable.
public final class DnsView {
    public static final DnsView EMPTY = new DnsView(Map.of());

    /// Lower case, without the final dot. Names that only stand above others have no addresses.
    private final Map<String, Addresses> names;

    private DnsView(Map<String, Addresses> names) {
        this.names = Map.copyOf(names);
    }

    /// @param clusterDomain for example `cluster.local`
    public static DnsView of(ClusterState cluster, String clusterDomain) {
        var found = new HashMap<String, Set<InetAddress>>();
        cluster.objects(ServiceObject.class).forEach(service -> addService(found, cluster, service, clusterDomain));
        var names = new HashMap<String, Addresses>();
        found.forEach((name, addresses) -> names.put(name, Addresses.of(addresses)));
        // RFC 8020: a name under which others stand exists; NXDOMAIN for it would deny them, too.
        for (var name : found.keySet()) {
            for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
                names.putIfAbsent(name.substring(dot + 1), Addresses.NONE);
            }
        }
        return new DnsView(names);
    }

    private static void addService(
            Map<String, Set<InetAddress>> found, ClusterState cluster, ServiceObject service, String clusterDomain) {
        var namespace = service.meta().namespace();
        var name = (service.meta().name() + "." + namespace + ".svc." + clusterDomain).toLowerCase(Locale.ROOT);
        var addresses = found.computeIfAbsent(name, _ -> new LinkedHashSet<>());
        if (!service.headless()) {
            addresses.addAll(service.clusterIps());
            return;
        }
        for (var running : cluster.pods()) {
            if (!isPublished(service, running)) {
                continue;
            }
            addresses.addAll(running.ips());
            var spec = running.pod().spec();
            if (spec.subdomain().equals(service.meta().name())) {
                var host = spec.hostname().isEmpty() ? running.name() : spec.hostname();
                found.computeIfAbsent(host.toLowerCase(Locale.ROOT) + "." + name, _ -> new LinkedHashSet<>())
                        .addAll(running.ips());
            }
        }
    }

    private static boolean isPublished(ServiceObject service, RunningPod running) {
        return service.selects(running.namespace(), running.pod().meta().labels())
                && running.phase() == Phase.RUNNING
                && (service.publishNotReadyAddresses() || (running.ready() && !running.terminating()));
    }

    /// @param name in any case, with or without the final dot
    /// @return null if there is no such name
    @Nullable
    Addresses find(String name) {
        var end = name.endsWith(".") ? name.length() - 1 : name.length();
        return names.get(name.substring(0, end).toLowerCase(Locale.ROOT));
    }

    /// What a name resolves to; both lists may be empty.
    record Addresses(List<Inet4Address> v4, List<Inet6Address> v6) {
        static final Addresses NONE = new Addresses(List.of(), List.of());

        static Addresses of(Set<InetAddress> addresses) {
            var v4 = new ArrayList<Inet4Address>();
            var v6 = new ArrayList<Inet6Address>();
            for (var address : addresses) {
                switch (address) {
                    case Inet4Address a -> v4.add(a);
                    case Inet6Address a -> v6.add(a);
                    default -> throw new IllegalArgumentException("address: " + address + " (expected: IPv4 or IPv6)");
                }
            }
            return new Addresses(List.copyOf(v4), List.copyOf(v6));
        }
    }
}
