package io.loam.model.address;

/// The key of a service: two namespaces may define the same host name (a ServiceEntry may repeat one).
///
/// @param hostname fully qualified, for example `cart.shop.svc.cluster.local`
public record NamespacedHostname(String namespace, String hostname) {
    /// `namespace/hostname`, the resource name on the wire.
    @Override
    public String toString() {
        return namespace + "/" + hostname;
    }
}
