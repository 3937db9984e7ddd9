package io.loam.agent.pod;

import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.WaypointReferences;
import io.loam.model.mesh.MeshView;
import io.loam.runtime.xds.AddressDemand;
import io.netty.channel.EventLoop;
import java.net.InetAddress;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Asks the control plane for the addresses that connections go to (`XDS_ON_DEMAND`; wire reference, 4.2), and
/// has them wait for the answer beside those that wait for their workload ({@link WorkloadWait}).
///
/// Who is not answered is refused: an address that nobody has spoken about may be a workload's, and plaintext
/// to it would go around the mesh. That **nobody** has it is an answer, and decided about as in a mesh that is
/// known as a whole.
public final class DemandLookup implements AddressLookup {
    /// As long as for the workload itself: a control plane answers in milliseconds, one that restarts in
    /// seconds.
    private static final Duration LIMIT = Duration.ofSeconds(5);

    private final WorkloadWait waits;
    private final MeshView view;
    private final AddressDemand demand;
    private final String network;
    private final Duration limit;

    /// @param network this node's
    public DemandLookup(WorkloadWait waits, MeshView view, AddressDemand demand, String network) {
        this(waits, view, demand, network, LIMIT);
    }

    public DemandLookup(WorkloadWait waits, MeshView view, AddressDemand demand, String network, Duration limit) {
        this.waits = waits;
        this.view = view;
        this.demand = demand;
        this.network = network;
        this.limit = limit;
        demand.addListener(waits::lookAgain);
    }

    @Override
    public @Nullable Use use(LocalPod pod, InetAddress address) {
        if (address.isLoopbackAddress()) { // never leaves the pod
            return Use.KNOWN;
        }
        var use = new NamedUse(pod, new NetworkAddress(network, address));
        return demand.use(use.name) ? use : null;
    }

    @Override
    public void mention(InetAddress address) {
        demand.mention(new NetworkAddress(network, address).toString());
    }

    private final class NamedUse implements Use {
        final String name;
        private final NetworkAddress address;
        private final String namespace;

        NamedUse(LocalPod pod, NetworkAddress address) {
            this.name = address.toString();
            this.address = address;
            this.namespace = pod.info().namespace();
        }

        @Override
        public void await(EventLoop loop, Consumer<@Nullable String> next) {
            waits.await(_ -> missing().isEmpty(), limit, loop, () -> {
                var missing = missing();
                if (missing.isEmpty()) {
                    next.accept(null);
                } else {
                    demand.countNotHeard();
                    next.accept("the control plane has not said within " + limit.toMillis() + " ms what "
                            + String.join(", ", missing) + " is"
                            + (demand.isConnected() ? "" : " (it is not connected)"));
                }
            });
        }

        /// The mesh is read after the answer was found to be there, so it has what the answer says.
        private Set<String> missing() {
            if (!demand.isAnswered(name)) {
                return Set.of(name);
            }
            var missing = new LinkedHashSet<String>();
            for (var waypoint : WaypointReferences.of(view.current(), address, namespace)) {
                var waypointName = waypoint.resourceName();
                if (!demand.isAnswered(waypointName)) {
                    missing.add(waypointName);
                }
            }
            return missing;
        }

        @Override
        public void release() {
            demand.release(name);
        }
    }
}
