package io.loam.model.mesh;

import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload.Status;
import org.jspecify.annotations.Nullable;

/// The workloads that say they belong to a service, by uid. Kept whether or not the service is known: endpoints
/// may arrive before it.
final class ServiceEndpoints {
    static final ServiceEndpoints NONE = new ServiceEndpoints(PersistentMap.empty(), PersistentMap.empty());

    private final PersistentMap<String, Endpoint> all;
    private final PersistentMap<String, Endpoint> healthy;
    private final CandidateCache candidates = new CandidateCache();

    private ServiceEndpoints(PersistentMap<String, Endpoint> all, PersistentMap<String, Endpoint> healthy) {
        this.all = all;
        this.healthy = healthy;
    }

    /// For services that send to unhealthy endpoints too.
    PersistentMap<String, Endpoint> all() {
        return all;
    }

    /// The same map as {@link #all} as long as all are healthy.
    PersistentMap<String, Endpoint> healthy() {
        return healthy;
    }

    /// Those that a service wants.
    PersistentMap<String, Endpoint> of(Service service) {
        return service.loadBalancing().health() == HealthPolicy.ALLOW_ALL ? all : healthy;
    }

    /// What was worked out from exactly these endpoints.
    CandidateCache candidates() {
        return candidates;
    }

    ServiceEndpoints with(Endpoint endpoint) {
        var uid = endpoint.workload().uid();
        var next = all.with(uid, endpoint);
        if (endpoint.workload().status() == Status.HEALTHY) {
            return new ServiceEndpoints(next, areAllHealthy() ? next : healthy.with(uid, endpoint));
        }
        return new ServiceEndpoints(next, healthy.without(uid));
    }

    ServiceEndpoints without(String uid) {
        var rest = new ServiceEndpoints(all.without(uid), healthy.without(uid));
        return rest.areAllHealthy() ? new ServiceEndpoints(rest.all, rest.all) : rest;
    }

    private boolean areAllHealthy() {
        return all.size() == healthy.size();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ServiceEndpoints that && all.equals(that.all) && healthy.equals(that.healthy);
    }

    @Override
    public int hashCode() {
        return all.hashCode();
    }
}
