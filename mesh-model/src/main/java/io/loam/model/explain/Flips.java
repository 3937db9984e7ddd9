package io.loam.model.explain;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.GatewayAddress.Destination;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.explain.Explanation.Answer;
import io.loam.model.failure.ErrorCode;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.PolicyFindings;
import io.loam.model.policy.Verdict;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Egress;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Looks for the smallest change of the mesh that turns a verdict.
///
/// Design. What stands in the way proposes changes: the rule that denies, the rules that nearly allow, the endpoint
/// that is not ready. Each is made on a snapshot of its own and all decisions are asked again. What turns the
/// verdict is a proposal; if nothing does, the search goes on from the meshes that came out differently, one change
/// deeper, so that two rules that both deny are found as two steps. So nothing is proposed that was not seen to work.
final class Flips {
    /// The converted forms of PeerAuthentication (wire reference, 7.4).
    private static final String STRICT_POLICY = "istio_converted_static_strict";
    private static final String PORT_POLICY_PREFIX = "converted_peer_authentication_";

    private static final int MOST_PROPOSALS = 5;
    private static final int MOST_STEPS = 4;

    /// Each may index all policies of a namespace again.
    private static final int MOST_TRIALS = 200;

    private final MeshSnapshot mesh;
    private final Workload source;
    private final InetSocketAddress destination;
    private final WrittenPolicies written;
    private int trials;

    Flips(MeshSnapshot mesh, Workload source, InetSocketAddress destination, WrittenPolicies written) {
        this.mesh = mesh;
        this.source = source;
        this.destination = destination;
        this.written = written;
    }

    /// A mesh that came out of some changes.
    private record State(MeshSnapshot mesh, Workload source, InetSocketAddress destination, Proposal made) {
        List<Explanation.Branch> branches() {
            return Explanation.branches(mesh, source, destination);
        }
    }

    /// @return the smallest first; from REFUSED and DEPENDS to ALLOWED, from ALLOWED to REFUSED
    List<Proposal> search() {
        var start = new State(mesh, source, destination, new Proposal(List.of(), 0));
        var wanted = Explanation.answer(start.branches()) == Answer.ALLOWED ? Answer.REFUSED : Answer.ALLOWED;
        var found = new ArrayList<Proposal>();
        var level = List.of(start);
        for (int step = 0; step < MOST_STEPS && found.isEmpty() && !level.isEmpty(); step++) {
            var next = new ArrayList<State>();
            for (var state : level) {
                expand(state, wanted, found, next);
            }
            level = next;
        }
        found.sort(Comparator.comparingInt(Proposal::edits));
        return found.subList(0, Math.min(MOST_PROPOSALS, found.size()));
    }

    private void expand(State from, Answer wanted, List<Proposal> found, List<State> next) {
        var before = from.branches();
        var seen = new HashSet<>(from.made.steps()); // asking for a port and back again is no way
        for (var change : changes(from, before, wanted)) {
            if (!seen.add(change.text()) || trials++ >= MOST_TRIALS) {
                continue;
            }
            var changed = from.mesh.apply(change.delta());
            var changedSource = Objects.requireNonNullElse(changed.workload(source.uid()), from.source);
            var steps = Stream.concat(from.made.steps().stream(), Stream.of(change.text()))
                    .toList();
            var proposal = new Proposal(steps, from.made.edits() + change.edits());
            var state = new State(changed, changedSource, change.destination(), proposal);
            var after = state.branches();
            if (Explanation.answer(after) == wanted) {
                if (found.stream().noneMatch(one -> Set.copyOf(one.steps()).equals(Set.copyOf(steps)))) {
                    found.add(proposal);
                }
            } else if (!after.equals(before)) {
                next.add(state);
            }
        }
    }

    private List<Change> changes(State state, List<Explanation.Branch> branches, Answer wanted) {
        var changes = new ArrayList<Change>();
        for (var branch : branches) {
            if (branch.passage().allowed() != (wanted == Answer.ALLOWED)) {
                var found =
                        wanted == Answer.ALLOWED ? toAllow(state, branch.passage()) : toRefuse(state, branch.passage());
                changes.addAll(found);
            }
        }
        changes.sort(Comparator.comparingInt(Change::edits));
        return changes;
    }

    private List<Change> toAllow(State state, Passage passage) {
        var inbound = passage.inbound();
        if (inbound != null) {
            return toAllow(state, inbound);
        }
        var refusal = Objects.requireNonNull(passage.refusal());
        if (passage.outbound() == null) {
            return refusal.code() == ErrorCode.NO_HEALTHY_UPSTREAM ? readiness(state) : List.of();
        }
        return switch (refusal.code()) {
            case NOT_IN_REGISTRY -> egress(state);
            case NO_HEALTHY_UPSTREAM, NO_TARGET_PORT -> readiness(state);
            case WAYPOINT_UNRESOLVED -> waypoint(state);
            default -> List.of(); // nothing in the mesh's description would help
        };
    }

    private List<Change> toAllow(State state, Passage.Inbound inbound) {
        var changes = new ArrayList<Change>();
        var policies = state.mesh.policiesFor(inbound.local());
        switch (inbound.verdict()) {
            case Verdict.Denied(var key, var rule) -> {
                var policy = Objects.requireNonNull(state.mesh.policy(key));
                if (isStrictMode(policy)) {
                    changes.add(change(state, permissive(policy, inbound.local()), 1, without(inbound.local(), key)));
                } else {
                    var edits = new PolicyEdits(policy, inbound.attributes(), written);
                    add(changes, state, edits.withoutRule(rule));
                    add(changes, state, edits.sparing(rule));
                }
            }
            case Verdict.Undecided(var key) ->
                changes.add(change(
                        state,
                        "correct AuthorizationPolicy " + key + " so that it can be sent, or delete it",
                        1,
                        without(inbound.local(), key)));
            case Verdict.NotMatched _ -> {
                for (var finding : PolicyFindings.of(policies, inbound.attributes())) {
                    var policy = finding.policy();
                    if (policy.action() == Action.ALLOW && !policy.dryRun()) {
                        var edits = new PolicyEdits(policy, inbound.attributes(), written);
                        for (int rule = 0; rule < policy.rules().size(); rule++) {
                            add(changes, state, edits.widened(rule));
                        }
                        add(changes, state, edits.withRuleForPeer());
                    }
                }
            }
            case Verdict.Allowed _ -> {} // not what stands in the way
        }
        if (inbound.attributes().peer() == null && !Passage.isCaptured(state.source)) {
            changes.add(change(
                    state,
                    "take " + name(state.source) + " into the mesh (label loam.io/dataplane-mode: ambient)",
                    1,
                    captured(state.source)));
        }
        return changes;
    }

    private static boolean isStrictMode(AuthorizationPolicy policy) {
        return policy.name().equals(STRICT_POLICY) || policy.name().startsWith(PORT_POLICY_PREFIX);
    }

    private String permissive(AuthorizationPolicy policy, Workload local) {
        var which = policy.name().startsWith(PORT_POLICY_PREFIX)
                ? "PeerAuthentication " + policy.namespace() + "/"
                        + policy.name().substring(PORT_POLICY_PREFIX.length())
                : written.strictMode(local.namespace(), local.name());
        return "set " + which + " to PERMISSIVE";
    }

    private List<Change> egress(State state) {
        var address = state.destination.getAddress();
        var entry = new Service(
                "added",
                new NamespacedHostname(state.source.namespace(), "added.by.a.service.entry"),
                List.of(new ServiceAddress(state.source.network(), CidrBlock.parse(address.getHostAddress()))),
                List.of(),
                List.of(),
                null,
                List.of(),
                new LoadBalancing(List.of(), Mode.PASSTHROUGH, LoadBalancing.HealthPolicy.ONLY_HEALTHY),
                Service.IpFamilies.AUTOMATIC,
                false,
                false,
                Service.Visibility.PUBLIC);
        var open = new Copy(state.source);
        open.egress = Egress.ALLOW_ANY;
        return List.of(
                change(
                        state,
                        "add a ServiceEntry with address " + address.getHostAddress() + " (resolution: NONE)",
                        1,
                        MeshDelta.builder().upsert(entry).build()),
                change(
                        state,
                        "set outboundTrafficPolicy ALLOW_ANY for namespace " + state.source.namespace(),
                        2,
                        MeshDelta.builder().upsert(open.build()).build()));
    }

    private List<Change> readiness(State state) {
        var service = serviceOf(state);
        if (service == null) {
            return List.of();
        }
        var changes = new ArrayList<Change>();
        for (var port : service.ports()) {
            if (port.servicePort() != state.destination.getPort()) {
                var other = new InetSocketAddress(state.destination.getAddress(), port.servicePort());
                changes.add(new Change(
                        "connect to port " + port.servicePort() + " of service " + service.key(),
                        MeshDelta.builder().build(),
                        other,
                        1));
            }
        }
        makeReady(state, service, changes);
        if (service.loadBalancing().mode() == Mode.STRICT) {
            changes.add(change(
                    state,
                    "relax internalTrafficPolicy (or another strict preference) of service " + service.key(),
                    1,
                    MeshDelta.builder()
                            .upsert(with(service, LoadBalancing.ANY, true))
                            .build()));
        }
        return changes;
    }

    private List<Change> waypoint(State state) {
        var service = serviceOf(state);
        var changes = new ArrayList<Change>();
        if (service != null && service.waypoint() != null) {
            var reference = service.waypoint().destination();
            var gateway = switch (reference) {
                case Destination.ByHostname(var key) -> state.mesh.service(key);
                case Destination.ByAddress(var address) -> state.mesh.findService(address, state.source.namespace());
            };
            if (gateway != null) {
                makeReady(state, gateway, changes);
            }
            changes.add(change(
                    state,
                    "remove the label istio.io/use-waypoint from service " + service.key(),
                    2,
                    MeshDelta.builder()
                            .upsert(with(service, service.loadBalancing(), false))
                            .build()));
        }
        return changes;
    }

    private static void makeReady(State state, Service service, List<Change> changes) {
        for (var workload : state.mesh.workloads()) {
            if (workload.services().containsKey(service.key()) && workload.status() != Status.HEALTHY) {
                var ready = new Copy(workload);
                ready.status = Status.HEALTHY;
                changes.add(change(
                        state,
                        "make pod " + name(workload) + " ready",
                        1,
                        MeshDelta.builder().upsert(ready.build()).build()));
            }
        }
    }

    private static @Nullable Service serviceOf(State state) {
        var address = new NetworkAddress(state.source.network(), state.destination.getAddress());
        return state.mesh.findService(address, state.source.namespace());
    }

    private List<Change> toRefuse(State state, Passage passage) {
        var changes = new ArrayList<Change>();
        var inbound = passage.inbound();
        if (inbound == null) {
            if (passage.outbound() instanceof OutboundRoute.Plaintext plaintext
                    && plaintext.destination() == null
                    && plaintext.service() == null) {
                var closed = new Copy(state.source);
                closed.egress = Egress.REGISTRY_ONLY;
                changes.add(change(
                        state,
                        "set outboundTrafficPolicy REGISTRY_ONLY for namespace " + state.source.namespace(),
                        1,
                        MeshDelta.builder().upsert(closed.build()).build()));
            }
            return changes;
        }
        for (var finding : PolicyFindings.of(state.mesh.policiesFor(inbound.local()), inbound.attributes())) {
            var policy = finding.policy();
            if (policy.action() == Action.ALLOW && !policy.dryRun()) {
                var edits = new PolicyEdits(policy, inbound.attributes(), written);
                finding.rules().forEach(rule -> add(changes, state, edits.withoutRule(rule)));
            }
        }
        var peer = inbound.attributes().peer();
        int port = inbound.attributes().destinationPort();
        var local = inbound.local();
        var denying = new AuthorizationPolicy(
                "added-by-the-question",
                local.namespace(),
                Scope.WORKLOAD_SELECTOR,
                Action.DENY,
                List.of(peer == null ? PolicyEdits.ruleForPlaintext() : PolicyEdits.ruleFor(peer, port)),
                false);
        var naming = new Copy(local);
        naming.policies = Stream.concat(local.authorizationPolicies().stream(), Stream.of(denying.key()))
                .toList();
        var text = peer == null
                ? "set " + written.strictMode(local.namespace(), local.name()) + " to STRICT"
                : "add a DENY AuthorizationPolicy to namespace " + local.namespace() + " for principal "
                        + peer.principal() + " and port " + port;
        changes.add(change(
                state,
                text,
                3,
                MeshDelta.builder().upsert(denying).upsert(naming.build()).build()));
        return changes;
    }

    private static void add(List<Change> changes, State state, PolicyEdits.@Nullable Edit edit) {
        if (edit != null) {
            changes.add(change(
                    state,
                    edit.text(),
                    edit.edits(),
                    MeshDelta.builder().upsert(edit.policy()).build()));
        }
    }

    private static Change change(State state, String text, int edits, MeshDelta delta) {
        return new Change(text, delta, state.destination, edits);
    }

    private static MeshDelta without(Workload local, String policy) {
        var copy = new Copy(local);
        copy.policies = local.authorizationPolicies().stream()
                .filter(named -> !named.equals(policy))
                .toList();
        return MeshDelta.builder().upsert(copy.build()).build();
    }

    private static MeshDelta captured(Workload source) {
        var copy = new Copy(source);
        copy.tunnel = TunnelProtocol.HBONE;
        return MeshDelta.builder().upsert(copy.build()).build();
    }

    private static String name(Workload workload) {
        return workload.namespace() + "/" + workload.name();
    }

    private static Service with(Service service, LoadBalancing balancing, boolean waypoint) {
        return new Service(
                service.name(),
                service.key(),
                service.addresses(),
                service.ports(),
                service.subjectAltNames(),
                waypoint ? service.waypoint() : null,
                waypoint ? service.weightedWaypoints() : List.of(),
                balancing,
                service.ipFamilies(),
                service.canonical(),
                service.ingressUseWaypoint(),
                service.visibility());
    }

    /// A workload with something changed.
    private static final class Copy {
        private final Workload of;
        private TunnelProtocol tunnel;
        private List<String> policies;
        private Status status;
        private Egress egress;

        Copy(Workload of) {
            this.of = of;
            tunnel = of.tunnel();
            policies = of.authorizationPolicies();
            status = of.status();
            egress = of.egress();
        }

        Workload build() {
            return new Workload(
                    of.uid(),
                    of.name(),
                    of.namespace(),
                    of.addresses(),
                    of.hostname(),
                    of.network(),
                    tunnel,
                    of.trustDomain(),
                    of.serviceAccount(),
                    of.waypoint(),
                    of.networkGateway(),
                    of.node(),
                    of.canonicalName(),
                    of.canonicalRevision(),
                    of.type(),
                    of.workloadName(),
                    of.nativeTunnel(),
                    of.applicationTunnel(),
                    of.services(),
                    policies,
                    status,
                    of.clusterId(),
                    of.locality(),
                    of.networkMode(),
                    of.capacity(),
                    egress);
        }
    }
}
