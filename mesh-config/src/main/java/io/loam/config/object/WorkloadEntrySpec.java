package io.loam.config.object;

import io.loam.model.workload.Locality;
import java.net.InetAddress;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// An endpoint that is no pod: a machine or an address outside. Written as a WorkloadEntry, or inside a
/// ServiceEntry.
///
/// @param address empty where the endpoint is a host name
/// @param hostname "" where the endpoint is an address; never both
/// @param ports where the endpoint serves the ports of a service, by the name of the service's port
/// @param network "" = the mesh's own
/// @param locality empty = not written
/// @param weight among the endpoints of a service; at least 1
/// @param serviceAccount the identity it proves, as far as it speaks mutual TLS; "" = `default`
public record WorkloadEntrySpec(
        Optional<InetAddress> address,
        String hostname,
        Map<String, Integer> ports,
        Map<String, String> labels,
        String network,
        Optional<Locality> locality,
        int weight,
        String serviceAccount) {
    public WorkloadEntrySpec {
        ports = Map.copyOf(ports);
        labels = Map.copyOf(labels);
    }

    /// For keys and messages.
    public String where() {
        return address.map(InetAddress::getHostAddress).orElse(hostname);
    }

    public List<InetAddress> addresses() {
        return address.map(List::of).orElse(List.of());
    }
}
