package io.loam.model.decision;

import io.loam.model.address.GatewayAddress;
import io.loam.model.address.GatewayAddress.Destination;
import io.loam.model.address.NetworkAddress;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What a destination leads to besides itself. Who knows the mesh in parts (wire reference, 4.2, on demand)
/// has to know these parts as well before {@link OutboundRouter} is asked: a waypoint that was not heard of
/// looks like one that is not there.
public final class WaypointReferences {
    private WaypointReferences() {}

    /// The waypoints that a connection to `address` may have to pass, as {@link OutboundRouter} looks for them.
    ///
    /// @param clientNamespace of who connects
    public static Set<Destination> of(MeshSnapshot mesh, NetworkAddress address, String clientNamespace) {
        var found = new LinkedHashSet<Destination>();
        var owner = mesh.workloadByAddress(address);
        var service = mesh.findService(address, clientNamespace);
        if (service != null) {
            addOf(service, found);
        }
        if (owner != null) {
            addOf(owner, found);
            if (service != null) { // then the endpoint's waypoint counts, not the service's
                mesh.endpoints(service.key()).values().forEach(endpoint -> addOf(endpoint.workload(), found));
            }
        }
        return found;
    }

    /// Adds those of a service itself.
    public static void addOf(Service service, Set<Destination> to) {
        add(service.waypoint(), to);
        service.weightedWaypoints().forEach(weighted -> add(weighted.waypoint(), to));
    }

    /// Adds that of a workload, if it has one.
    public static void addOf(Workload workload, Set<Destination> to) {
        add(workload.waypoint(), to);
    }

    private static void add(@Nullable GatewayAddress reference, Set<Destination> to) {
        if (reference != null) {
            to.add(reference.destination());
        }
    }
}
