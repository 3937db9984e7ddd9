package io.loam.model.dns;

import io.loam.model.mesh.Endpoint;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.Service;
import io.loam.model.service.Service.Visibility;
import io.loam.model.workload.Workload;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Resolves names as a node agent answers them for its pods (wire reference, section 9). A pure function of
/// mesh, client and name; any thread may ask.
///
/// Design. A name stands for several candidates, which are tried in this order: the name itself; its Kubernetes
/// short forms, completed from the client's point of view; the name without one of the search suffixes that
/// resolvers append, and the short forms of what is left. Each candidate is looked up as it is and then under
/// the wildcards above it, the nearest first. What only another namespace has added to the mesh counts for less
/// than a short form that means a service of Kubernetes. Every look-up is one in the snapshot's index of host names, so
/// that no index of its own has to be kept up to date, and the time depends on the number of labels, not on the
/// size of the mesh. Only the answer for a headless service takes time in proportion to its endpoints, because
/// all of them are the answer.
///
/// Two things go beyond the reference. `pod.service.namespace.svc.DOMAIN` is answered for endpoints of headless
/// services; their UID contains the name, so this is one look-up as well. Pods of other clusters and pods whose
/// `spec.hostname` differs from their name are not found this way: the cluster's own name server knows them.
/// And {@link #knows} tells for records that are not ours whether a denial of the whole name would be wrong.
public final class NameResolver {
    private static final int LONGEST_SHORT_FORM = 4;

    private final String domain;
    private final String serviceDomain;
    private final String preferredNamespace;
    private final boolean ipv6;

    /// @param clusterDomain for example `cluster.local`
    /// @param preferredNamespace whose services win after those of the client's own, where several have the
    ///     same host name; "" for none
    /// @param ipv6 whether IPv6 addresses may be answered
    public NameResolver(String clusterDomain, String preferredNamespace, boolean ipv6) {
        this.domain = clusterDomain.toLowerCase(Locale.ROOT);
        this.serviceDomain = "svc." + domain;
        this.preferredNamespace = preferredNamespace;
        this.ipv6 = ipv6;
    }

    /// @param client who asks
    /// @param name in any case, with or without the final dot
    /// @param random for the order of the addresses
    public NameAnswer resolve(
            MeshSnapshot mesh, Workload client, String name, AddressFamily family, RandomGenerator random) {
        var found = find(mesh, client, name);
        if (found == null) {
            return NameAnswer.NOT_OURS;
        }
        var addresses = addresses(mesh, client, found, family);
        if (addresses.isEmpty()) {
            return NameAnswer.NO_DATA;
        }
        Collections.shuffle(addresses, random);
        return new NameAnswer.Addresses(found.alias, addresses);
    }

    /// Whether {@link #resolve} would answer for the name, with addresses or without.
    public boolean knows(MeshSnapshot mesh, Workload client, String name) {
        return find(mesh, client, name) != null;
    }

    /// @param endpoint the one that was asked for by its own name; null for the service as a whole
    private record Found(Service service, @Nullable Endpoint endpoint, String alias) {}

    private @Nullable Found find(MeshSnapshot mesh, Workload client, String name) {
        var asked = normal(name);
        var found = findForms(mesh, client, asked, false);
        if (found != null) {
            return found;
        }
        var own = client.namespace() + "." + serviceDomain;
        for (var suffix : List.of(own, serviceDomain, domain)) {
            int rest = asked.length() - suffix.length() - 1;
            if (rest > 0 && asked.charAt(rest) == '.' && asked.endsWith(suffix)) {
                found = findForms(mesh, client, asked.substring(0, rest), true);
                if (found != null) {
                    return found;
                }
            }
        }
        return null;
    }

    private static String normal(String name) {
        int end = name.endsWith(".") ? name.length() - 1 : name.length();
        return name.substring(0, end).toLowerCase(Locale.ROOT);
    }

    /// The name as it is and as a Kubernetes short form.
    ///
    /// The name itself comes first, unless it is only what some other namespace calls a host of its own while the
    /// short form means a service of Kubernetes: nobody takes over `cart.shop` with a ServiceEntry (hazard I21).
    private @Nullable Found findForms(MeshSnapshot mesh, Workload client, String name, boolean stripped) {
        var found = findCandidate(mesh, client, name, stripped);
        if (found != null && isForClient(found.service, client)) {
            return found;
        }
        var meant = findShortForm(mesh, client, name, stripped);
        return found == null || (meant != null && meant.service.canonical()) ? meant : found;
    }

    private boolean isForClient(Service service, Workload client) {
        return service.canonical()
                || service.namespace().equals(client.namespace())
                || service.namespace().equals(preferredNamespace);
    }

    private @Nullable Found findShortForm(MeshSnapshot mesh, Workload client, String name, boolean stripped) {
        var own = client.namespace() + "." + serviceDomain;
        boolean underSvc = name.endsWith(".svc");
        return switch (labels(name)) {
            case 1 -> findCandidate(mesh, client, name + "." + own, stripped); // service
            case 2 -> { // service.namespace, or pod.service
                var found = findCandidate(mesh, client, name + "." + serviceDomain, stripped);
                yield found != null ? found : findCandidate(mesh, client, name + "." + own, stripped);
            }
            case 3 -> { // service.namespace.svc, or pod.service.namespace
                var found = underSvc ? findCandidate(mesh, client, name + "." + domain, stripped) : null;
                yield found != null ? found : findCandidate(mesh, client, name + "." + serviceDomain, stripped);
            }
            case 4 -> underSvc ? findCandidate(mesh, client, name + "." + domain, stripped) : null; // with pod
            default -> null;
        };
    }

    /// One more than {@link #LONGEST_SHORT_FORM} stands for all that are longer.
    private static int labels(String name) {
        int labels = 1;
        for (int dot = name.indexOf('.'); dot >= 0 && labels <= LONGEST_SHORT_FORM; dot = name.indexOf('.', dot + 1)) {
            labels++;
        }
        return labels;
    }

    private @Nullable Found findCandidate(MeshSnapshot mesh, Workload client, String name, boolean stripped) {
        var service = best(mesh, client, name);
        if (service != null) {
            return new Found(service, null, stripped ? name : "");
        }
        int dot = name.indexOf('.');
        if (dot < 0) {
            return null;
        }
        var endpoint = endpointByName(mesh, client, name, dot, stripped);
        if (endpoint != null) {
            return endpoint;
        }
        for (; dot >= 0; dot = name.indexOf('.', dot + 1)) {
            service = best(mesh, client, "*" + name.substring(dot));
            if (service != null) {
                return new Found(service, null, ""); // a wildcard has no name of its own to be an alias of
            }
        }
        return null;
    }

    /// `pod.service.namespace.svc.DOMAIN`, for endpoints that may be told.
    private @Nullable Found endpointByName(MeshSnapshot mesh, Workload client, String name, int dot, boolean stripped) {
        var service = best(mesh, client, name.substring(dot + 1));
        if (service == null || !isHeadless(service)) {
            return null;
        }
        var uid = client.clusterId() + "//Pod/" + service.namespace() + "/" + name.substring(0, dot);
        var endpoint = mesh.endpoints(service.key()).get(uid);
        return endpoint == null ? null : new Found(service, endpoint, stripped ? name : "");
    }

    /// The service that a client means by a host name: its own namespace's, then the preferred one's, then
    /// a canonical one, then any that it may see.
    private @Nullable Service best(MeshSnapshot mesh, Workload client, String hostname) {
        Service best = null;
        boolean preferred = false;
        var sameName = mesh.servicesByHostname(hostname);
        for (int i = 0; i < sameName.size(); i++) { // canonical ones stand first
            var candidate = sameName.get(i);
            if (!isAnswerable(candidate)) {
                continue;
            }
            var namespace = candidate.namespace();
            if (namespace.equals(client.namespace())) {
                return candidate;
            }
            boolean isPreferred = namespace.equals(preferredNamespace);
            if (candidate.visibility() == Visibility.PUBLIC && (best == null || (isPreferred && !preferred))) {
                best = candidate;
                preferred = isPreferred;
            }
        }
        return best;
    }

    /// A service without an address that could be dialled is left to those who know its real ones, unless
    /// it is the cluster's own. A block of addresses is none.
    private boolean isAnswerable(Service service) {
        return hasAddress(service) || isHeadless(service);
    }

    private boolean isHeadless(Service service) {
        return service.addresses().isEmpty() && service.hostname().endsWith("." + serviceDomain);
    }

    private static boolean hasAddress(Service service) {
        for (var address : service.addresses()) {
            if (address.block().isHost()) {
                return true;
            }
        }
        return false;
    }

    private List<InetAddress> addresses(MeshSnapshot mesh, Workload client, Found found, AddressFamily family) {
        var addresses = new ArrayList<InetAddress>();
        if (family == AddressFamily.IPV6 && !ipv6) {
            return addresses;
        }
        if (found.endpoint != null) {
            addOf(client, found.endpoint.workload(), family, addresses);
        } else if (hasAddress(found.service)) {
            for (var address : found.service.addresses()) {
                if (address.block().isHost()
                        && family.has(address.block().address())
                        && address.network().equals(client.network())) {
                    addresses.add(address.block().address());
                }
            }
        } else {
            for (var endpoint : mesh.endpoints(found.service.key()).values()) {
                addOf(client, endpoint.workload(), family, addresses);
            }
        }
        return addresses;
    }

    /// One per endpoint, as each is one destination. An address of another network would be somebody else's here.
    private static void addOf(Workload client, Workload workload, AddressFamily family, List<InetAddress> addresses) {
        if (!workload.network().equals(client.network())) {
            return;
        }
        for (var address : workload.addresses()) {
            if (family.has(address)) {
                addresses.add(address);
                return;
            }
        }
    }
}
