package io.loam.model.decision;

import io.loam.model.mesh.CandidateCache;
import io.loam.model.mesh.Candidates;
import io.loam.model.mesh.Endpoint;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.ArrayList;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Picks one endpoint of a service for one connection (wire reference, 3.4).
///
/// Design. Which endpoints are fit depends on the service, the port and the place of the source, and all
/// workloads of a node are in one place. So the candidates are worked out by the first connection to a port
/// of a service and kept beside the endpoints ({@link CandidateCache}); the connections that follow draw one
/// and look at no other. When the service or its endpoints change, whoever builds the next snapshot works
/// them out again, so that an event loop looks at all endpoints once in its life and not after each change:
/// 10,000 of them take milliseconds.
public final class EndpointChoice {
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
            known = Candidates.of(mesh.endpoints(service.key()).values(), service, servicePort, toWaypoint, source);
            if (cache != null) {
                cache.keep(known);
            }
        }
        return known.draw(random);
    }

    /// As {@link #choose}, as if one endpoint did not exist. Looks at all of them, which is for the rare case: the
    /// handshake that found out costs about as much as looking at 10,000.
    ///
    /// @param avoided by name and identity: one that has got another identity meanwhile is another one
    static @Nullable Endpoint chooseOther(
            MeshSnapshot mesh,
            Service service,
            int servicePort,
            Workload source,
            Purpose purpose,
            RandomGenerator random,
            Workload avoided) {
        var others = new ArrayList<Endpoint>();
        for (var endpoint : mesh.endpoints(service.key()).values()) {
            var workload = endpoint.workload();
            if (!workload.uid().equals(avoided.uid())
                    || !workload.provableIdentity().equals(avoided.provableIdentity())) {
                others.add(endpoint);
            }
        }
        return Candidates.of(others, service, servicePort, purpose == Purpose.WAYPOINT, source)
                .draw(random);
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
        int declared = service.targetPort(servicePort);
        if (declared > 0) {
            return declared;
        }
        var tunnel = endpoint.workload().applicationTunnel();
        return tunnel == null ? 0 : tunnel.port();
    }
}
