package io.loam.config.compile;

import io.loam.config.object.ServiceEntryObject;
import io.loam.model.service.ServiceAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Which hosts a ServiceEntry may give to pods of other namespaces (hazard I21): those of the cluster's domain below
/// its own namespace, and others that no older entry of another namespace has, nor one of their addresses. Entries in
/// a root namespace are the operator's and may have all. Istio lets everybody have everything where no Service is in
/// the way; pods of the entry's own namespace see it in any case, as with Istio.
///
/// Entries have to be asked about in the order of their age. For one thread.
final class HostTenancy {
    private final MeshSettings settings;
    private final String serviceDomain;
    private final Map<String, ServiceEntryObject> byHost = new HashMap<>();
    private final Map<ServiceAddress, ServiceEntryObject> byAddress = new HashMap<>();

    HostTenancy(MeshSettings settings) {
        this.settings = settings;
        this.serviceDomain = "svc." + settings.clusterDomain();
    }

    /// What it has no objection to is the entry's from now on.
    ///
    /// @param addresses of the host
    /// @return what would be right, or null where nothing is wrong
    @Nullable
    String objectionTo(ServiceEntryObject entry, String host, List<ServiceAddress> addresses) {
        var namespace = entry.meta().namespace();
        if (!settings.rootNamespaces().contains(namespace)) {
            if (isForeign(host, namespace)) {
                return "a host with a dot outside of " + serviceDomain + ", or below " + namespace + "."
                        + serviceDomain;
            }
            var older = byHost.get(host);
            if (older != null && !older.meta().namespace().equals(namespace)) {
                return "a host that is not that of " + older.key() + " already";
            }
            for (var address : addresses) {
                older = byAddress.get(address);
                if (older != null && !older.meta().namespace().equals(namespace)) {
                    return "addresses without " + address.block() + ", which " + older.key() + " has already";
                }
            }
        }
        byHost.putIfAbsent(host, entry);
        addresses.forEach(address -> byAddress.putIfAbsent(address, entry));
        return null;
    }

    /// Whether it lies in another namespace's part of the cluster's domain, is a wildcard over all of them, or is a
    /// name without a dot, by which everybody means a service of their own namespace.
    private boolean isForeign(String host, String namespace) {
        boolean wildcard = host.startsWith("*.");
        var base = wildcard ? host.substring(2) : host;
        if (!wildcard && host.indexOf('.') < 0) {
            return true;
        }
        if (base.equals(serviceDomain) || (wildcard && serviceDomain.endsWith("." + base))) {
            return true;
        }
        if (!base.endsWith("." + serviceDomain)) {
            return false;
        }
        var below = base.substring(0, base.length() - serviceDomain.length() - 1);
        return !below.substring(below.lastIndexOf('.') + 1).equals(namespace);
    }
}
