package io.loam.model.mesh;

import io.loam.model.service.LoadBalancing.Scope;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.ArrayList;
import java.util.List;

/// Which endpoints of a service are fit for a kind of connection, and which of those are best (wire
/// reference, 3.4).
final class EndpointRanking {
    private static final int NOT_A_CANDIDATE = -1;

    private EndpointRanking() {}

    /// All endpoints of the best rank.
    ///
    /// @param endpoints those that the service's health policy lets in
    static List<Endpoint> best(
            Iterable<Endpoint> endpoints, Service service, int servicePort, boolean toWaypoint, Workload source) {
        var fit = new ArrayList<Endpoint>();
        int best = NOT_A_CANDIDATE;
        for (var endpoint : endpoints) {
            int rank = rank(service, servicePort, toWaypoint, source, endpoint);
            if (rank > best) {
                best = rank;
                fit.clear();
            }
            if (rank == best && rank != NOT_A_CANDIDATE) {
                fit.add(endpoint);
            }
        }
        return fit;
    }

    private static int rank(Service service, int servicePort, boolean toWaypoint, Workload source, Endpoint endpoint) {
        var workload = endpoint.workload();
        // one without capacity takes no connections, so it must not hold the best rank against those that do
        if (workload.capacity() == 0
                || !isReachable(workload, source)
                || !serves(service, servicePort, toWaypoint, endpoint)) {
            return NOT_A_CANDIDATE;
        }
        var balancing = service.loadBalancing();
        return switch (balancing.mode()) {
            case UNSPECIFIED, PASSTHROUGH -> 0;
            case STRICT -> matchesAll(balancing.preferences(), source, workload) ? 0 : NOT_A_CANDIDATE;
            case FAILOVER -> leadingMatches(balancing.preferences(), source, workload);
        };
    }

    private static boolean isReachable(Workload workload, Workload source) {
        return !workload.addresses().isEmpty()
                || !workload.hostname().isEmpty()
                || (workload.networkGateway() != null && !workload.network().equals(source.network()));
    }

    private static boolean serves(Service service, int servicePort, boolean toWaypoint, Endpoint endpoint) {
        return endpoint.targetPort(servicePort) > 0
                || service.targetPort(servicePort) > 0
                || (toWaypoint && endpoint.workload().applicationTunnel() != null);
    }

    private static boolean matchesAll(List<Scope> preferences, Workload source, Workload endpoint) {
        for (int i = 0; i < preferences.size(); i++) {
            if (!matches(preferences.get(i), source, endpoint)) {
                return false;
            }
        }
        return true;
    }

    /// A leading NETWORK outweighs everything that follows it and a mismatch there does not end the
    /// comparison: any endpoint on the own network is better than every other, and the others are still told
    /// apart.
    private static int leadingMatches(List<Scope> preferences, Workload source, Workload endpoint) {
        int rank = 0;
        for (int i = 0; i < preferences.size(); i++) {
            var preference = preferences.get(i);
            boolean leadingNetwork = i == 0 && preference == Scope.NETWORK;
            if (matches(preference, source, endpoint)) {
                rank += leadingNetwork ? preferences.size() : 1;
            } else if (!leadingNetwork) {
                break;
            }
        }
        return rank;
    }

    private static boolean matches(Scope scope, Workload source, Workload endpoint) {
        return switch (scope) {
            case REGION -> source.locality().region().equals(endpoint.locality().region());
            case ZONE -> source.locality().zone().equals(endpoint.locality().zone());
            case SUBZONE ->
                source.locality().subzone().equals(endpoint.locality().subzone());
            case NODE -> source.node().equals(endpoint.node());
            case CLUSTER -> source.clusterId().equals(endpoint.clusterId());
            case NETWORK -> source.network().equals(endpoint.network());
        };
    }
}
