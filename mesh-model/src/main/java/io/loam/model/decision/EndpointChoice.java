package io.loam.model.decision;

import io.loam.model.mesh.CandidateCache;
import io.loam.model.mesh.Candidates;
import io.loam.model.mesh.Endpoint;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.LoadBalancing.Scope;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Picks one endpoint of a service for one connection (wire reference, 3.4).
///
/// Design. Which endpoints are fit depends on the service, the port and the place of the source, and all workloads
/// of a node are in one place. So the candidates are worked out by the first connection after a change of the
/// service or its endpoints and kept beside them ({@link CandidateCache}); the connections that follow draw one and
/// look at no other. Walking them for each connection cost a millisecond in a service of 10,000.
public final class EndpointChoice {
    private static final int NOT_A_CANDIDATE = -1;

    /// What a connection to the service is for.
    public enum Purpose {
        /// To reach the service: endpoints must serve the port.
        ENDPOINT,
        /// To pass through the service, which is a waypoint: one behind an application tunnel need not declare
        /// it.
        WAYPOINT
    }

    private EndpointChoice() {}

    /// @param servicePort the port the client asked the service for
    /// @return null if no endpoint is fit. A service in PASSTHROUGH mode is not balanced: do not ask for it
    public static @Nullable Endpoint choose(
            MeshSnapshot mesh,
            Service service,
            int servicePort,
            Workload source,
            Purpose purpose,
            RandomGenerator random) {
        boolean toWaypoint = purpose == Purpose.WAYPOINT;
        var cache = mesh.candidates(service);
        var known = cache == null ? null : cache.find(service, servicePort, toWaypoint, source);
        if (known == null) {
            var fit = fit(mesh, service, servicePort, source, purpose);
            known = new Candidates(service, servicePort, toWaypoint, source, fit);
            if (cache != null) {
                cache.keep(known);
            }
        }
        return known.draw(random);
    }

    /// All endpoints of the best rank.
    private static List<Endpoint> fit(
            MeshSnapshot mesh, Service service, int servicePort, Workload source, Purpose purpose) {
        var fit = new ArrayList<Endpoint>();
        int best = NOT_A_CANDIDATE;
        for (var endpoint : mesh.endpoints(service.key()).values()) {
            int rank = rank(service, servicePort, source, purpose, endpoint);
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

    /// Where an endpoint serves a port of its service: its own word first, then the service's, then its
    /// tunnel's.
    ///
    /// @return 1 to 65535, or 0 if nobody says
    public static int targetPort(Service service, int servicePort, Endpoint endpoint) {
        int own = endpoint.targetPort(servicePort);
        if (own > 0) {
            return own;
        }
        int declared = declaredTargetPort(service, servicePort);
        if (declared > 0) {
            return declared;
        }
        var tunnel = endpoint.workload().applicationTunnel();
        return tunnel == null ? 0 : tunnel.port();
    }

    private static int declaredTargetPort(Service service, int servicePort) {
        var ports = service.ports();
        for (int i = 0; i < ports.size(); i++) {
            if (ports.get(i).servicePort() == servicePort) {
                return ports.get(i).targetPort();
            }
        }
        return 0;
    }

    private static int rank(Service service, int servicePort, Workload source, Purpose purpose, Endpoint endpoint) {
        var workload = endpoint.workload();
        if (!isReachable(workload, source) || !serves(service, servicePort, purpose, endpoint)) {
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

    private static boolean serves(Service service, int servicePort, Purpose purpose, Endpoint endpoint) {
        return endpoint.targetPort(servicePort) > 0
                || declaredTargetPort(service, servicePort) > 0
                || (purpose == Purpose.WAYPOINT && endpoint.workload().applicationTunnel() != null);
    }

    private static boolean matchesAll(List<Scope> preferences, Workload source, Workload endpoint) {
        for (int i = 0; i < preferences.size(); i++) {
            if (!matches(preferences.get(i), source, endpoint)) {
                return false;
            }
        }
        return true;
    }

    /// A leading NETWORK outweighs everything that follows it and a mismatch there does not end the comparison:
    /// any endpoint on the own network is better than every other, and the others are still told apart.
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
