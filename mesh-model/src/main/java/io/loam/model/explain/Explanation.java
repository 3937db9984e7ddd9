package io.loam.model.explain;

import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.EndpointChoice;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.mesh.Endpoint;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.mesh.PersistentMap;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Status;
import java.net.InetSocketAddress;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Everything there is to say about whether a pod may connect to an address.
///
/// @param service the service that the address belongs to, as the source sees it
/// @param candidates the endpoints of that service, those that are not taken included
/// @param branches what can become of the connection, the likeliest first: one entry unless endpoints are drawn
/// @param proposals what would turn the verdict, the smallest first; may be empty
public record Explanation(
        Workload source,
        InetSocketAddress destination,
        @Nullable Service service,
        List<Candidate> candidates,
        List<Branch> branches,
        List<Proposal> proposals) {
    /// @param share of the connections, above 0 to 1
    public record Branch(Passage passage, double share) {}

    /// @param share of the connections that this endpoint gets, 0 to 1
    /// @param reason why it gets none; "" if it gets some
    public record Candidate(Workload workload, double share, String reason) {}

    /// Whether the connection is made, whatever endpoint is drawn, for some or for none.
    public enum Answer {
        ALLOWED,
        REFUSED,
        DEPENDS
    }

    public Explanation {
        candidates = List.copyOf(candidates);
        branches = List.copyOf(branches);
        proposals = List.copyOf(proposals);
    }

    public Answer answer() {
        return answer(branches);
    }

    static Answer answer(List<Branch> branches) {
        boolean some = branches.stream().anyMatch(branch -> branch.passage().allowed());
        boolean all = branches.stream().allMatch(branch -> branch.passage().allowed());
        return all ? Answer.ALLOWED : some ? Answer.DEPENDS : Answer.REFUSED;
    }

    /// Takes a moment in a mesh of many policies: not for event loops.
    ///
    /// @param written for the words of the proposals
    public static Explanation of(
            MeshSnapshot mesh, Workload source, InetSocketAddress destination, WrittenPolicies written) {
        var branches = branches(mesh, source, destination);
        var address = new NetworkAddress(source.network(), destination.getAddress());
        var service = mesh.findService(address, source.namespace());
        return new Explanation(
                source,
                destination,
                service,
                service == null ? List.of() : candidates(mesh, source, service, destination.getPort(), branches),
                branches,
                new Flips(mesh, source, destination, written).search());
    }

    static List<Branch> branches(MeshSnapshot mesh, Workload source, InetSocketAddress destination) {
        return Draws.outcomes(random -> Passage.of(mesh, source, destination, random)).entrySet().stream()
                .map(entry -> new Branch(entry.getKey(), entry.getValue()))
                .sorted(Comparator.comparingDouble(Branch::share).reversed())
                .toList();
    }

    private static List<Candidate> candidates(
            MeshSnapshot mesh, Workload source, Service service, int port, List<Branch> branches) {
        var endpoints = mesh.endpoints(service.key());
        return mesh.workloads().stream()
                .filter(workload -> workload.services().containsKey(service.key()))
                .sorted(Comparator.comparing(Workload::uid))
                .map(workload -> {
                    double share = branches.stream()
                            .filter(branch -> goesTo(branch.passage(), workload))
                            .mapToDouble(Branch::share)
                            .sum();
                    var reason = share > 0 ? "" : whyNot(service, port, workload, endpoints, source);
                    return new Candidate(workload, share, reason);
                })
                .toList();
    }

    private static boolean goesTo(Passage passage, Workload workload) {
        return switch (passage.outbound()) {
            case OutboundRoute.Tunnel tunnel ->
                tunnel.via() == OutboundRoute.Via.DIRECT
                        && tunnel.destination().uid().equals(workload.uid());
            case OutboundRoute.Plaintext plaintext
            when plaintext.destination() != null ->
                workload.uid().equals(plaintext.destination().uid());
            case null, default -> {
                var target = passage.target();
                yield target != null
                        && !target.isUnresolved()
                        && workload.addresses().contains(target.getAddress());
            }
        };
    }

    private static String whyNot(
            Service service, int port, Workload workload, PersistentMap<String, Endpoint> endpoints, Workload source) {
        var endpoint = endpoints.get(workload.uid());
        if (endpoint == null) {
            return workload.status() == Status.HEALTHY ? "not an endpoint" : "not ready";
        }
        if (EndpointChoice.targetPort(service, port, endpoint) == 0) {
            return "does not serve port " + port;
        }
        if (workload.capacity() == 0) {
            return "weight 0";
        }
        var balancing = service.loadBalancing();
        return switch (balancing.mode()) {
            case STRICT -> "not in the same " + balancing.preferences() + " as " + source.name();
            case FAILOVER -> "others are nearer by " + balancing.preferences();
            case UNSPECIFIED, PASSTHROUGH -> "not asked: something else decides before";
        };
    }
}
