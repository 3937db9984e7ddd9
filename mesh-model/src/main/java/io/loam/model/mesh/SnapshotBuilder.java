package io.loam.model.mesh;

import io.loam.model.address.MaskedBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.address.NetworkAddress;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshSnapshot.LocalName;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Turns a snapshot and a delta into the contents of the next snapshot. For one thread, used once.
final class SnapshotBuilder {
    /// In the uid of every pod, and of nothing else.
    static final String POD_UID = "//Pod/";

    /// Wire reference, 3.1: a pod wins, then one that speaks HBONE; the uid only makes the choice the same
    /// everywhere.
    private static final Comparator<Workload> CLAIM_TO_ADDRESS = Comparator.comparing(
                    (Workload workload) -> !workload.uid().contains(POD_UID))
            .thenComparing(workload -> workload.tunnel() != TunnelProtocol.HBONE)
            .thenComparing(Workload::uid);

    private static final Comparator<Service> CANONICAL_FIRST = Comparator.comparing(
                    (Service service) -> !service.canonical())
            .thenComparing(Service::namespace)
            .thenComparing(Service::hostname);

    private static final Comparator<ServiceBlock> LONGEST_FIRST = Comparator.comparingInt(ServiceBlock::prefixLength)
            .reversed()
            .thenComparing(ServiceBlock::service, CANONICAL_FIRST);

    PersistentMap<String, Workload> workloads = PersistentMap.empty();
    PersistentMap<NetworkAddress, List<Workload>> workloadsByAddress = PersistentMap.empty();
    PersistentMap<LocalName, List<Workload>> workloadsByLocalName = PersistentMap.empty();
    PersistentMap<NamespacedHostname, Service> services = PersistentMap.empty();
    PersistentMap<NetworkAddress, List<Service>> servicesByAddress = PersistentMap.empty();
    PersistentMap<String, List<Service>> servicesByHostname = PersistentMap.empty();
    List<ServiceBlock> serviceBlocks = List.of();
    PersistentMap<NamespacedHostname, Set<SpiffeId>> serviceIdentities = PersistentMap.empty();
    PersistentMap<NamespacedHostname, ServiceEndpoints> endpoints = PersistentMap.empty();
    PolicyIndex policies = PolicyIndex.EMPTY;

    /// Whether somebody may find nothing now under an address under which there was something.
    boolean withdrawn;

    private final Set<NamespacedHostname> touched = new HashSet<>();
    private PersistentMap<NamespacedHostname, ServiceEndpoints> formerEndpoints = PersistentMap.empty();

    SnapshotBuilder() {}

    SnapshotBuilder(MeshSnapshot previous) {
        workloads = previous.workloadsByUid();
        workloadsByAddress = previous.workloadsByAddress();
        workloadsByLocalName = previous.workloadsByLocalName();
        services = previous.servicesByKey();
        servicesByAddress = previous.servicesByAddress();
        servicesByHostname = previous.servicesByHostname();
        serviceBlocks = previous.serviceBlocks();
        serviceIdentities = previous.serviceIdentities();
        endpoints = previous.serviceEndpoints();
        formerEndpoints = endpoints;
        policies = previous.policyIndex();
    }

    /// Builds all that lookups need, so that no event loop has to.
    void apply(MeshDelta delta) {
        withdrawn = delta.removedWorkloads().stream().anyMatch(uid -> workloads.get(uid) != null)
                || delta.removedServices().stream().anyMatch(key -> services.get(key) != null);
        delta.removedWorkloads().forEach(this::removeWorkload);
        delta.removedServices().forEach(this::removeService);
        delta.services().forEach(this::upsert);
        delta.workloads().forEach(this::upsert);
        policies = policies.with(delta.removedPolicies(), delta.policies());
        touched.forEach(this::followCandidates);
        touched.clear();
    }

    /// Connections to this service have been balanced before: the next one finds its candidates ready.
    private void followCandidates(NamespacedHostname key) {
        var former = formerEndpoints.get(key);
        var service = services.get(key);
        var now = endpoints.get(key);
        if (former != null && service != null && now != null) {
            now.candidates()
                    .follow(former.candidates(), service, now.of(service).values());
        }
    }

    private void upsert(Workload workload) {
        var present = workloads.get(workload.uid());
        if (workload.equals(present)) {
            return;
        }
        withdrawn |= present != null
                && !(present.addresses().equals(workload.addresses())
                        && present.network().equals(workload.network())
                        && present.networkMode() == workload.networkMode());
        removeWorkload(workload.uid());
        touched.addAll(workload.services().keySet());
        workloads = workloads.with(workload.uid(), workload);
        if (workload.networkMode() == NetworkMode.STANDARD) {
            for (var address : workload.addresses()) {
                workloadsByAddress = change(
                        workloadsByAddress,
                        new NetworkAddress(workload.network(), address),
                        claimants -> with(claimants, workload, CLAIM_TO_ADDRESS));
            }
        }
        workloadsByLocalName = change(
                workloadsByLocalName, localName(workload), sameName -> with(sameName, workload, CLAIM_TO_ADDRESS));
        workload.services().forEach((service, ports) -> {
            var known = endpoints.get(service);
            endpoints = endpoints.with(
                    service, (known == null ? ServiceEndpoints.NONE : known).with(new Endpoint(workload, ports)));
        });
    }

    private void removeWorkload(String uid) {
        var workload = workloads.get(uid);
        if (workload == null) {
            return;
        }
        touched.addAll(workload.services().keySet());
        workloads = workloads.without(uid);
        if (workload.networkMode() == NetworkMode.STANDARD) {
            for (var address : workload.addresses()) {
                workloadsByAddress = change(
                        workloadsByAddress,
                        new NetworkAddress(workload.network(), address),
                        claimants -> without(claimants, workload));
            }
        }
        workloadsByLocalName =
                change(workloadsByLocalName, localName(workload), sameName -> without(sameName, workload));
        for (var service : workload.services().keySet()) {
            var known = endpoints.get(service);
            if (known != null) {
                var rest = known.without(uid);
                endpoints = rest.all().isEmpty() ? endpoints.without(service) : endpoints.with(service, rest);
            }
        }
    }

    private void upsert(Service service) {
        var present = services.get(service.key());
        if (service.equals(present)) {
            return;
        }
        withdrawn |= present != null
                && !(present.addresses().equals(service.addresses()) && present.visibility() == service.visibility());
        removeService(service.key());
        touched.add(service.key());
        services = services.with(service.key(), service);
        servicesByHostname =
                change(servicesByHostname, service.hostname(), sameName -> with(sameName, service, CANONICAL_FIRST));
        for (var address : service.addresses()) {
            var block = address.block();
            if (block.isHost()) {
                servicesByAddress = change(
                        servicesByAddress,
                        new NetworkAddress(address.network(), block.address()),
                        sameAddress -> with(sameAddress, service, CANONICAL_FIRST));
            } else {
                serviceBlocks = with(
                        serviceBlocks,
                        new ServiceBlock(address.network(), MaskedBlock.of(block), block.prefixLength(), service),
                        LONGEST_FIRST);
            }
        }
        var identities = service.subjectAltNames().stream()
                .map(SpiffeId::parse)
                .flatMap(Optional::stream)
                .collect(Collectors.toUnmodifiableSet());
        if (!identities.isEmpty()) {
            serviceIdentities = serviceIdentities.with(service.key(), identities);
        }
    }

    private void removeService(NamespacedHostname key) {
        var service = services.get(key);
        if (service == null) {
            return;
        }
        services = services.without(key);
        servicesByHostname = change(servicesByHostname, service.hostname(), sameName -> without(sameName, service));
        boolean hasBlocks = false;
        for (var address : service.addresses()) {
            hasBlocks |= !address.block().isHost();
            servicesByAddress = change(
                    servicesByAddress,
                    new NetworkAddress(address.network(), address.block().address()),
                    sameAddress -> without(sameAddress, service));
        }
        if (hasBlocks) {
            serviceBlocks = serviceBlocks.stream()
                    .filter(block -> !block.service().key().equals(key))
                    .toList();
        }
        serviceIdentities = serviceIdentities.without(key);
    }

    private static LocalName localName(Workload workload) {
        return new LocalName(workload.name(), workload.namespace(), workload.serviceAccount());
    }

    /// A group that becomes empty leaves the index.
    private static <K, T> PersistentMap<K, List<T>> change(
            PersistentMap<K, List<T>> index, K key, UnaryOperator<List<T>> groupChange) {
        @Nullable List<T> present = index.get(key);
        var next = groupChange.apply(present == null ? List.of() : present);
        if (next.isEmpty()) {
            return index.without(key);
        }
        return index.with(key, next);
    }

    /// Once even if it is added twice: a service may list an address twice.
    private static <T> List<T> with(List<T> group, T member, Comparator<? super T> order) {
        if (group.isEmpty()) {
            return List.of(member);
        }
        if (group.contains(member)) {
            return group;
        }
        var next = new ArrayList<T>(group);
        next.add(member);
        next.sort(order);
        return List.copyOf(next);
    }

    private static <T> List<T> without(List<T> group, T member) {
        return group.stream().filter(present -> !present.equals(member)).toList();
    }
}
