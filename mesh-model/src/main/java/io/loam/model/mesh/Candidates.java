package io.loam.model.mesh;

import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.List;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// The endpoints that are fit for a kind of connection to a service, ready to be drawn from. Immutable.
public final class Candidates {
    private final Service service;
    private final int servicePort;
    private final boolean toWaypoint;
    private final Workload source;
    private final Endpoint[] endpoints;

    /// Capacity of the endpoints up to and with each; null where each has the same, which is the rule.
    private final long @Nullable [] capacityUpTo;

    private final long capacity;

    /// Looks at all endpoints.
    ///
    /// @param endpoints of the service, without those that are not ready unless it wants them
    /// @param toWaypoint whether the service is to be passed through, not reached
    /// @param source anybody in the place that the candidates are for
    public static Candidates of(
            Iterable<Endpoint> endpoints, Service service, int servicePort, boolean toWaypoint, Workload source) {
        return new Candidates(
                service,
                servicePort,
                toWaypoint,
                source,
                EndpointRanking.best(endpoints, service, servicePort, toWaypoint, source));
    }

    /// The candidates for the same kind of connection after the service or its endpoints changed.
    Candidates after(Service changed, Iterable<Endpoint> now) {
        return of(now, changed, servicePort, toWaypoint, source);
    }

    /// Whether they are for the same kind of connection, whatever the service was declared as at the time.
    boolean sameKind(Candidates other) {
        return areFor(service, other.servicePort, other.toWaypoint, other.source);
    }

    /// @param fit of equal rank
    private Candidates(Service service, int servicePort, boolean toWaypoint, Workload source, List<Endpoint> fit) {
        this.service = service;
        this.servicePort = servicePort;
        this.toWaypoint = toWaypoint;
        this.source = source;
        this.endpoints = fit.toArray(Endpoint[]::new);
        long[] upTo = new long[endpoints.length];
        long sum = 0;
        boolean equal = true;
        for (int i = 0; i < upTo.length; i++) {
            int own = endpoints[i].workload().capacity();
            equal &= own == 1;
            sum += own;
            upTo[i] = sum;
        }
        this.capacity = sum;
        this.capacityUpTo = equal ? null : upTo;
    }

    /// Draws one, each with the probability of its share in the capacity. Allocates nothing.
    ///
    /// @return null if there is no capacity
    public @Nullable Endpoint draw(RandomGenerator random) {
        if (capacity == 0) {
            return null;
        }
        long point = random.nextLong(capacity);
        if (capacityUpTo == null) {
            return endpoints[(int) point];
        }
        int from = 0;
        int to = endpoints.length - 1;
        while (from < to) { // the first whose capacities up to it exceed the point
            int middle = (from + to) >>> 1;
            if (capacityUpTo[middle] > point) {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        return endpoints[from];
    }

    /// Whether these are the candidates of a connection. All that ranks endpoints is compared: the service as
    /// declared now, and the place of the source.
    @SuppressWarnings("ReferenceEquality") // another declaration of the service is another object
    boolean areFor(Service wanted, int port, boolean waypoint, Workload from) {
        return service == wanted
                && servicePort == port
                && toWaypoint == waypoint
                && source.network().equals(from.network())
                && source.node().equals(from.node())
                && source.clusterId().equals(from.clusterId())
                && source.locality().equals(from.locality());
    }
}
