package io.loam.controlplane.xds;

import com.google.protobuf.Message;
import io.loam.config.compile.CompiledMesh;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.model.workload.Workload;
import io.loam.protocol.xds.ResourceNames;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Everything proxies can be told, at one moment. Immutable; what did not change is shared with the moment
/// before, and neither mapped nor encoded again.
public final class MeshResources {
    private final long generation;
    private final ResourceSet addresses;
    private final ResourceSet authorizations;
    private final AddressIndex index;

    private MeshResources(long generation, ResourceSet addresses, ResourceSet authorizations, AddressIndex index) {
        this.generation = generation;
        this.addresses = addresses;
        this.authorizations = authorizations;
        this.index = index;
    }

    /// @param before null for the first
    /// @param generation higher than that of `before`
    public static MeshResources next(@Nullable MeshResources before, long generation, CompiledMesh mesh) {
        var addressesBefore = before == null ? ResourceSet.EMPTY : before.addresses;
        var authorizationsBefore = before == null ? ResourceSet.EMPTY : before.authorizations;
        var addressesNow = new ArrayList<MeshResource>(
                mesh.workloads().size() + mesh.services().size());
        for (var service : mesh.services()) {
            addressesNow.add(resource(
                    ResourceType.ADDRESS,
                    ResourceNames.of(service),
                    service,
                    addressesBefore,
                    ResourceEncoding::address,
                    ResourceNames::aliases));
        }
        for (var workload : mesh.workloads()) {
            addressesNow.add(resource(
                    ResourceType.ADDRESS,
                    ResourceNames.of(workload),
                    workload,
                    addressesBefore,
                    ResourceEncoding::address,
                    ResourceNames::aliases));
        }
        var authorizationsNow = new ArrayList<MeshResource>(mesh.policies().size());
        for (var policy : mesh.policies()) {
            authorizationsNow.add(resource(
                    ResourceType.AUTHORIZATION,
                    ResourceNames.of(policy),
                    policy,
                    authorizationsBefore,
                    ResourceEncoding::authorization,
                    _ -> List.of()));
        }
        var addresses = unlessSame(addressesBefore, addressesNow);
        var index = before != null && addresses == addressesBefore ? before.index : AddressIndex.of(addresses.all());
        return new MeshResources(generation, addresses, unlessSame(authorizationsBefore, authorizationsNow), index);
    }

    private static <M> MeshResource resource(
            ResourceType type,
            String name,
            M model,
            ResourceSet before,
            Function<M, Message> encode,
            Function<M, List<String>> aliases) {
        var known = before.get(name);
        return known != null && known.model().equals(model)
                ? known
                : MeshResource.of(type, name, aliases.apply(model), model, encode.apply(model));
    }

    /// The same set object where nothing changed: streams compare by identity.
    private static ResourceSet unlessSame(ResourceSet before, List<MeshResource> now) {
        if (before.size() != now.size()) {
            return ResourceSet.of(now);
        }
        for (var resource : now) {
            if (!resource.equals(before.get(resource.name()))) {
                return ResourceSet.of(now);
            }
        }
        return before;
    }

    /// The number of the published state these come from.
    public long generation() {
        return generation;
    }

    ResourceSet of(ResourceType type) {
        return switch (type) {
            case ADDRESS -> addresses;
            case AUTHORIZATION -> authorizations;
        };
    }

    /// What a name or alias stands for: a workload; a service with the workloads behind it; a policy. An
    /// address stands for the services as well in whose ranges it lies. Empty if nothing.
    Collection<MeshResource> lookup(ResourceType type, String name) {
        if (type == ResourceType.AUTHORIZATION) {
            var policy = authorizations.get(name);
            return policy == null ? List.of() : List.of(policy);
        }
        var named = addresses.get(name);
        var meant = named == null ? index.byAddress(name) : List.of(named);
        var found = new LinkedHashMap<String, MeshResource>();
        for (var resource : meant) {
            found.put(resource.name(), resource);
            for (var endpoint : index.behindService.getOrDefault(resource.name(), List.of())) {
                found.put(endpoint.name(), endpoint);
            }
        }
        return found.values();
    }

    /// The workloads on a node.
    Collection<MeshResource> onNode(ResourceType type, String node) {
        return type == ResourceType.ADDRESS ? index.onNode.getOrDefault(node, List.of()) : List.of();
    }

    /// @param behindService by the service's resource name
    /// @param ranges of services, which have no names
    private record AddressIndex(
            Map<String, List<MeshResource>> byAlias,
            Map<String, List<MeshResource>> behindService,
            Map<String, List<MeshResource>> onNode,
            List<Range> ranges) {
        static AddressIndex of(Collection<MeshResource> addresses) {
            var index = new AddressIndex(new HashMap<>(), new HashMap<>(), new HashMap<>(), new ArrayList<>());
            for (var resource : addresses) {
                for (var alias : resource.message().getAliasesList()) {
                    add(index.byAlias, alias, resource);
                }
                switch (resource.model()) {
                    case Workload workload -> {
                        if (!workload.node().isEmpty()) {
                            add(index.onNode, workload.node(), resource);
                        }
                        workload.services().keySet().forEach(key -> add(index.behindService, key.toString(), resource));
                    }
                    case Service service -> {
                        for (var address : service.addresses()) {
                            if (!address.block().isHost()) {
                                index.ranges.add(new Range(address, resource));
                            }
                        }
                    }
                    default -> throw new IllegalStateException("no address: " + resource.model());
                }
            }
            return index;
        }

        List<MeshResource> byAddress(String alias) {
            var exact = byAlias.getOrDefault(alias, List.of());
            if (ranges.isEmpty()) {
                return exact;
            }
            var found = new ArrayList<>(exact);
            ranges.stream().filter(range -> range.contains(alias)).forEach(range -> found.add(range.resource));
            return found;
        }

        private static void add(Map<String, List<MeshResource>> index, String key, MeshResource resource) {
            index.computeIfAbsent(key, _ -> new ArrayList<>(2)).add(resource);
        }
    }

    private record Range(ServiceAddress addresses, MeshResource resource) {
        /// @param alias `network/ip`, or anything else
        boolean contains(String alias) {
            var network = addresses.network() + "/";
            if (!alias.startsWith(network)) {
                return false;
            }
            try {
                return addresses.block().contains(InetAddress.ofLiteral(alias.substring(network.length())));
            } catch (IllegalArgumentException _) { // a name of something else
                return false;
            }
        }
    }
}
