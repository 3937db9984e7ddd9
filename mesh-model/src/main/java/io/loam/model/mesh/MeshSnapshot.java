package io.loam.model.mesh;

import io.loam.model.address.IpBits;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.address.NetworkAddress;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.ApplicablePolicies;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.CompiledPolicy;
import io.loam.model.service.Service;
import io.loam.model.service.Service.Visibility;
import io.loam.model.workload.Workload;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The mesh at one moment: what was heard, and the indexes that answer lookups. Immutable; any thread may ask.
///
/// Snapshots share what did not change, so applying a change costs the same in a mesh of ten workloads and of a
/// hundred thousand. Lookups allocate nothing unless they say so; most return null for "unknown" for that
/// reason.
public final class MeshSnapshot {
    public static final MeshSnapshot EMPTY = new MeshSnapshot(new SnapshotBuilder(), 0, 0, 0);

    private final long version;
    private final long policyVersion;
    private final long withdrawals;
    private final PersistentMap<String, Workload> workloads;
    private final PersistentMap<NetworkAddress, List<Workload>> workloadsByAddress;
    private final PersistentMap<LocalName, List<Workload>> workloadsByLocalName;
    private final PersistentMap<NamespacedHostname, Service> services;
    private final PersistentMap<NetworkAddress, List<Service>> servicesByAddress;
    private final PersistentMap<String, List<Service>> servicesByHostname;
    private final List<ServiceBlock> serviceBlocks;
    private final PersistentMap<NamespacedHostname, Set<SpiffeId>> serviceIdentities;
    private final PersistentMap<NamespacedHostname, ServiceEndpoints> endpoints;
    private final PolicyIndex policies;

    MeshSnapshot(SnapshotBuilder built, long version, long policyVersion, long withdrawals) {
        this.version = version;
        this.policyVersion = policyVersion;
        this.withdrawals = withdrawals;
        this.workloads = built.workloads;
        this.workloadsByAddress = built.workloadsByAddress;
        this.workloadsByLocalName = built.workloadsByLocalName;
        this.services = built.services;
        this.servicesByAddress = built.servicesByAddress;
        this.servicesByHostname = built.servicesByHostname;
        this.serviceBlocks = built.serviceBlocks;
        this.serviceIdentities = built.serviceIdentities;
        this.endpoints = built.endpoints;
        this.policies = built.policies;
    }

    /// The next snapshot. Not for event loops: a first delta may hold the whole mesh.
    public MeshSnapshot apply(MeshDelta delta) {
        var builder = new SnapshotBuilder(this);
        builder.apply(delta);
        return new MeshSnapshot(
                builder,
                version + 1,
                builder.policies == policies ? policyVersion : policyVersion + 1,
                builder.withdrawn ? withdrawals + 1 : withdrawals);
    }

    /// Grows by one with each applied delta; 0 is the empty snapshot.
    public long version() {
        return version;
    }

    /// Grows whenever a policy changed. Open connections are decided again only then (wire reference, 7.2).
    public long policyVersion() {
        return policyVersion;
    }

    /// Grows whenever an address that somebody could reach may belong to nobody any more, or is not to be seen
    /// by all who saw it: a workload or service is gone, or has fewer addresses. Open connections of closed
    /// egress are decided again only then.
    public long withdrawals() {
        return withdrawals;
    }

    public @Nullable Workload workload(String uid) {
        return workloads.get(uid);
    }

    public Collection<Workload> workloads() {
        return workloads.values();
    }

    /// Never a workload that shares its node's addresses. Where several claim the address: a pod first, then
    /// one that speaks HBONE.
    public @Nullable Workload workloadByAddress(NetworkAddress address) {
        var claimants = workloadsByAddress.get(address);
        return claimants == null ? null : claimants.getFirst();
    }

    /// The workload behind an enrolled pod, by the names its node knows it by. Never look up a local workload by
    /// address: the address may be reused or shared. Allocates one key.
    public @Nullable Workload localWorkload(String name, String namespace, String serviceAccount) {
        return localWorkload(name, namespace, serviceAccount, "");
    }

    /// @param node preferred where clusters have pods of the same name (StatefulSets do); "" for no preference
    public @Nullable Workload localWorkload(String name, String namespace, String serviceAccount, String node) {
        var sameName = workloadsByLocalName.get(new LocalName(name, namespace, serviceAccount));
        if (sameName == null) {
            return null;
        }
        for (var workload : sameName) {
            if (workload.node().equals(node)) {
                return workload;
            }
        }
        return sameName.getFirst();
    }

    public @Nullable Service service(NamespacedHostname key) {
        return services.get(key);
    }

    public Collection<Service> services() {
        return services.values();
    }

    /// Every service with exactly this virtual address, whoever may see it; canonical ones first.
    public List<Service> servicesByAddress(NetworkAddress address) {
        return Objects.requireNonNullElse(servicesByAddress.get(address), List.of());
    }

    /// Every service with this host name, whoever may see it; canonical ones first.
    public List<Service> servicesByHostname(String hostname) {
        return Objects.requireNonNullElse(servicesByHostname.get(hostname), List.of());
    }

    /// The service a client means by an address (wire reference, 3.1): of those it may see, its own
    /// namespace's, then a canonical one, then any. Only if no service has exactly this address, blocks are
    /// searched: own namespace, then the longest prefix, then canonical.
    ///
    /// Stricter than the reference in one point (hazard I21): a pod's address means the pod to all but those of the
    /// namespace that says otherwise, so that nobody takes over pods of others with a ServiceEntry.
    public @Nullable Service findService(NetworkAddress address, String clientNamespace) {
        var exact = servicesByAddress.get(address);
        var found = exact == null ? null : best(exact, clientNamespace);
        if (found == null && !serviceBlocks.isEmpty()) {
            found = findByBlock(address, clientNamespace);
        }
        return found != null && takesOver(found, address, clientNamespace) ? null : found;
    }

    private boolean takesOver(Service service, NetworkAddress address, String clientNamespace) {
        if (service.canonical() || service.namespace().equals(clientNamespace)) {
            return false;
        }
        var owner = workloadByAddress(address);
        return owner != null
                && owner.uid().contains(SnapshotBuilder.POD_UID)
                && !owner.namespace().equals(service.namespace());
    }

    /// The service a client means by a host name, ranked as {@link #findService} does.
    public @Nullable Service findServiceByHostname(String hostname, String clientNamespace) {
        var sameName = servicesByHostname.get(hostname);
        return sameName == null ? null : best(sameName, clientNamespace);
    }

    /// The endpoints of a service by workload uid, without unhealthy ones unless the service wants them. Empty
    /// for a service that is not known (yet).
    public PersistentMap<String, Endpoint> endpoints(NamespacedHostname key) {
        var service = services.get(key);
        var known = endpoints.get(key);
        if (service == null || known == null) {
            return PersistentMap.empty();
        }
        return known.of(service);
    }

    /// Room for what is worked out from the endpoints of a service, until one of them changes.
    ///
    /// @return null if the service is not known as it is given here, or has no endpoints
    @SuppressWarnings("ReferenceEquality") // another declaration of the service is another object
    public @Nullable CandidateCache candidates(Service service) {
        var known = endpoints.get(service.key());
        return known == null || services.get(service.key()) != service ? null : known.candidates();
    }

    /// The identities a service accepts for its endpoints besides their own. Subject alternative names that are
    /// no workload identity are left out.
    public Set<SpiffeId> acceptedIdentities(NamespacedHostname key) {
        return Objects.requireNonNullElse(serviceIdentities.get(key), Set.of());
    }

    public @Nullable AuthorizationPolicy policy(String key) {
        return policies.policy(key);
    }

    public Collection<AuthorizationPolicy> policies() {
        return policies.byKey().values().stream().map(CompiledPolicy::source).toList();
    }

    /// What decides about connections to `workload`. When first asked for a namespace and list of policies it
    /// allocates, and takes as long as indexing the policies of that list takes: ask before the snapshot is
    /// published ({@link MeshView#addPreparation}) for workloads whose event loops will.
    public ApplicablePolicies policiesFor(Workload workload) {
        return policies.applicableTo(workload);
    }

    /// Names and sizes, for logs.
    @Override
    public String toString() {
        return "MeshSnapshot[version=" + version + ", workloads=" + workloads.size() + ", services=" + services.size()
                + ", policies=" + policies.byKey().size() + "]";
    }

    /// All indexes, so that a test can compare what deltas built with what a fresh start builds.
    List<Object> indexes() {
        return List.of(
                workloads,
                workloadsByAddress,
                workloadsByLocalName,
                services,
                servicesByAddress,
                servicesByHostname,
                Set.copyOf(serviceBlocks),
                serviceIdentities,
                endpoints,
                policies());
    }

    private static @Nullable Service best(List<Service> candidates, String clientNamespace) {
        Service best = null;
        for (var candidate : candidates) { // canonical ones stand first
            if (candidate.namespace().equals(clientNamespace)) {
                return candidate;
            }
            if (best == null && candidate.visibility() == Visibility.PUBLIC) {
                best = candidate;
            }
        }
        return best;
    }

    private @Nullable Service findByBlock(NetworkAddress address, String clientNamespace) {
        var bits = IpBits.of(address.address());
        ServiceBlock best = null;
        for (var candidate : serviceBlocks) { // longest first, and canonical first among those of one length
            if (!candidate.network().equals(address.network())
                    || !candidate.block().contains(bits)) {
                continue;
            }
            if (candidate.service().namespace().equals(clientNamespace)) {
                return candidate.service();
            }
            if (best == null && candidate.service().visibility() == Visibility.PUBLIC) {
                best = candidate;
            }
        }
        return best == null ? null : best.service();
    }

    PersistentMap<String, Workload> workloadsByUid() {
        return workloads;
    }

    PersistentMap<NetworkAddress, List<Workload>> workloadsByAddress() {
        return workloadsByAddress;
    }

    PersistentMap<LocalName, List<Workload>> workloadsByLocalName() {
        return workloadsByLocalName;
    }

    PersistentMap<NamespacedHostname, Service> servicesByKey() {
        return services;
    }

    PersistentMap<NetworkAddress, List<Service>> servicesByAddress() {
        return servicesByAddress;
    }

    PersistentMap<String, List<Service>> servicesByHostname() {
        return servicesByHostname;
    }

    List<ServiceBlock> serviceBlocks() {
        return serviceBlocks;
    }

    PersistentMap<NamespacedHostname, Set<SpiffeId>> serviceIdentities() {
        return serviceIdentities;
    }

    PersistentMap<NamespacedHostname, ServiceEndpoints> serviceEndpoints() {
        return endpoints;
    }

    PolicyIndex policyIndex() {
        return policies;
    }

    /// What a node's container runtime calls a pod.
    record LocalName(String name, String namespace, String serviceAccount) {}
}
