package io.loam.protocol.xds;

import io.loam.model.address.NetworkAddress;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.List;

/// What resources are called on the wire (wire reference, 4.2).
public final class ResourceNames {
    /// Workloads and services are two kinds of one type.
    public static final String ADDRESS_TYPE = "type.googleapis.com/istio.workload.Address";

    public static final String AUTHORIZATION_TYPE = "type.googleapis.com/istio.security.Authorization";

    private ResourceNames() {}

    public static String of(Workload workload) {
        return workload.uid();
    }

    public static String of(Service service) {
        return service.key().toString();
    }

    public static String of(AuthorizationPolicy policy) {
        return policy.key();
    }

    /// Other names that a client may subscribe by: `network/ip` for each address.
    public static List<String> aliases(Workload workload) {
        return workload.addresses().stream()
                .map(address -> new NetworkAddress(workload.network(), address).toString())
                .toList();
    }

    /// Other names that a client may subscribe by: `network/ip` for each virtual address. A range has none.
    public static List<String> aliases(Service service) {
        return service.addresses().stream()
                .filter(address -> address.block().isHost())
                .map(address ->
                        new NetworkAddress(address.network(), address.block().address()).toString())
                .toList();
    }
}
