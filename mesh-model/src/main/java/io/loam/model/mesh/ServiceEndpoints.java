package io.loam.model.mesh;

import io.loam.model.workload.Workload.Status;

/// The workloads that say they belong to a service, by uid. Kept whether or not the service is known: endpoints
/// may arrive before it.
///
/// @param all for services that send to unhealthy endpoints too
/// @param healthy the same map as long as all are healthy
record ServiceEndpoints(PersistentMap<String, Endpoint> all, PersistentMap<String, Endpoint> healthy) {
    static final ServiceEndpoints NONE = new ServiceEndpoints(PersistentMap.empty(), PersistentMap.empty());

    ServiceEndpoints with(Endpoint endpoint) {
        var uid = endpoint.workload().uid();
        var next = all.with(uid, endpoint);
        if (endpoint.workload().status() == Status.HEALTHY) {
            return new ServiceEndpoints(next, all == healthy ? next : healthy.with(uid, endpoint));
        }
        return new ServiceEndpoints(next, healthy.without(uid));
    }

    ServiceEndpoints without(String uid) {
        var next = all.without(uid);
        if (all == healthy) {
            return new ServiceEndpoints(next, next);
        }
        var nextHealthy = healthy.without(uid);
        // the last unhealthy one left: share one map again
        return new ServiceEndpoints(next, nextHealthy.size() == next.size() ? next : nextHealthy);
    }
}
