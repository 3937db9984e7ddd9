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
}
