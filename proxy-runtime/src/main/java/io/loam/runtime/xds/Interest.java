package io.loam.runtime.xds;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.GatewayAddress.Destination;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.decision.WaypointReferences;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.TunnelProtocol;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.xds.ResourceNames;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Which addresses this node has to do with, where the agent asks for them one by one ({@link AddressDemand}),
/// and which of those that came it has not. For the thread of {@link XdsClient}.
///
/// Needed are the workloads of this node; what has a name that is asked for; and the workloads behind such a
/// service. What is needed leads to more names: to its waypoints, without which it cannot be reached, and from
/// a captured pod of this node to its services, which inbound connections name and count for.
///
/// What is not needed any more is dropped here **and** given up at the control plane by its own name, whatever
/// name it came by. What the one keeps and the other does not follow any more would come back to life with the
/// next connection: an endpoint that is long gone.
final class Interest {
    /// What the control plane sent before it read that we gave something up is here well before.
    static final Duration CROSSING = Duration.ofMinutes(1);

    private final AddressDemand demand;
    private final String node;

    /// What needed or other resources lead to, by their names.
    private final Map<String, Set<String>> references = new HashMap<>();

    /// Came since the last sweep and was not needed then: what it belongs to may come with the next response.
    private final Set<String> unclaimed = new HashSet<>();

    /// Resources that were given up, and when.
    private final Map<String, Long> givenUp = new HashMap<>();

    /// @param node this one
    Interest(AddressDemand demand, String node) {
        this.demand = demand;
        this.node = node;
    }

    /// A response was applied.
    ///
    /// @param mesh with it
    /// @return resources to be dropped again: they were sent before the control plane read that they are given
    ///     up
    List<String> onApplied(DeltaDiscoveryResponse response, MeshSnapshot mesh) {
        demand.heard(response, name -> mesh.workload(name) != null || service(mesh, name) != null);
        for (var name : response.getRemovedResourcesList()) {
            unclaimed.remove(name);
            follow(name, mesh);
        }
        var crossed = new ArrayList<String>();
        for (var resource : response.getResourcesList()) {
            var name = resource.getName();
            boolean wasGivenUp = givenUp.containsKey(name);
            if (isNeeded(mesh, name)) {
                givenUp.remove(name);
                unclaimed.remove(name);
                follow(name, mesh);
            } else if (wasGivenUp) {
                crossed.add(name);
            } else {
                unclaimed.add(name);
                follow(name, mesh);
            }
        }
        return crossed;
    }

    /// What was applied is in force.
    void onPublished() {
        demand.published();
    }

    /// Looks what is not needed any more.
    ///
    /// @param held names of the resources there are
    Dropped sweep(MeshSnapshot mesh, Collection<String> held) {
        var names = new LinkedHashSet<>(demand.forget());
        var resources = new ArrayList<String>();
        for (var name : held) {
            if (!isNeeded(mesh, name) && !unclaimed.contains(name)) {
                resources.add(name);
            }
        }
        names.addAll(resources);
        unclaimed.clear();
        long now = demand.nanoTime();
        givenUp.values().removeIf(then -> now - then > CROSSING.toNanos());
        resources.forEach(name -> givenUp.put(name, now));
        return new Dropped(resources, List.copyOf(names));
    }

    /// Resources were dropped.
    void onDropped(Collection<String> resources) {
        resources.forEach(name -> replace(name, Set.of()));
    }

    /// @param resources to be removed from the mesh
    /// @param names to be given up at the control plane, those of the resources among them
    record Dropped(List<String> resources, List<String> names) {}

    private void follow(String name, MeshSnapshot mesh) {
        var leadsTo = new HashSet<String>();
        var workload = mesh.workload(name);
        if (workload != null) {
            addReferences(workload, leadsTo);
        }
        var service = service(mesh, name);
        if (service != null) {
            var waypoints = new HashSet<Destination>();
            WaypointReferences.addOf(service, waypoints);
            waypoints.forEach(waypoint -> leadsTo.add(waypoint.resourceName()));
        }
        replace(name, leadsTo);
    }

    private void addReferences(Workload workload, Set<String> to) {
        var waypoints = new HashSet<Destination>();
        WaypointReferences.addOf(workload, waypoints);
        waypoints.forEach(waypoint -> to.add(waypoint.resourceName()));
        if (isLocal(workload) && workload.tunnel() == TunnelProtocol.HBONE) {
            workload.services().keySet().forEach(key -> to.add(key.toString()));
        }
    }

    private void replace(String resource, Set<String> now) {
        var before = now.isEmpty() ? references.remove(resource) : references.put(resource, now);
        for (var name : now) {
            if (before == null || !before.contains(name)) {
                demand.refer(name);
            }
        }
        if (before != null) {
            for (var name : before) {
                if (!now.contains(name)) {
                    demand.release(name);
                }
            }
        }
    }

    private boolean isNeeded(MeshSnapshot mesh, String name) {
        if (demand.isWanted(name)) {
            return true;
        }
        var workload = mesh.workload(name);
        if (workload != null) {
            return isNeeded(mesh, workload);
        }
        var service = service(mesh, name);
        return service != null && isNeeded(service);
    }

    private boolean isNeeded(MeshSnapshot mesh, Workload workload) {
        if (isLocal(workload) || ResourceNames.aliases(workload).stream().anyMatch(demand::isWanted)) {
            return true;
        }
        for (var key : workload.services().keySet()) {
            var service = mesh.service(key);
            if (service == null ? demand.isWanted(key.toString()) : isNeeded(service)) {
                return true;
            }
        }
        return false;
    }

    private boolean isNeeded(Service service) {
        return demand.isWanted(ResourceNames.of(service))
                || ResourceNames.aliases(service).stream().anyMatch(demand::isWanted)
                || service.addresses().stream().anyMatch(this::isRangeOfWanted);
    }

    /// A range has no name of its own: it came with the answer for an address inside.
    private boolean isRangeOfWanted(ServiceAddress range) {
        if (range.block().isHost()) {
            return false;
        }
        var prefix = range.network() + "/";
        for (var name : demand.wanted()) {
            if (name.startsWith(prefix) && contains(range.block(), name.substring(prefix.length()))) {
                return true;
            }
        }
        return false;
    }

    private static boolean contains(CidrBlock block, String text) {
        try {
            return block.contains(InetAddress.ofLiteral(text));
        } catch (IllegalArgumentException _) { // a host name
            return false;
        }
    }

    private boolean isLocal(Workload workload) {
        return !node.isEmpty() && workload.node().equals(node);
    }

    private static @Nullable Service service(MeshSnapshot mesh, String name) {
        int slash = name.indexOf('/');
        return slash < 0
                ? null
                : mesh.service(new NamespacedHostname(name.substring(0, slash), name.substring(slash + 1)));
    }
}
