package io.loam.config.compile;

import io.loam.config.compile.Waypoints.Binding;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.Match;
import io.loam.model.policy.StringMatch;
import io.loam.model.service.ServicePort;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Keeps callers from going around a waypoint (hazard I18): DENY policies against everybody but the waypoint,
/// for the ports it stands in front of. As policies they hold at every proxy that speaks Istio's wire, open
/// connections are asked again when a waypoint comes, and the log names what refused.
///
/// - A service's waypoint guards the ports through which the service reaches its endpoints, whoever else
/// leads there.
/// - A workload's waypoint guards all other ports, except those that a service without waypoint leads to:
/// connections
///   to a service never pass the waypoint of a workload (wire reference, 3.2, step 6).
final class WaypointGuard {
    static final String PREFIX = "loam_behind_waypoint_";

    private final Map<NamespacedHostname, Binding> services;
    private final Map<String, AuthorizationPolicy> policies = new TreeMap<>();

    /// @param services those that are behind a waypoint
    WaypointGuard(Map<NamespacedHostname, Binding> services) {
        this.services = services;
    }

    /// The keys of the policies that a workload has to name, sorted.
    ///
    /// @param own of the workload itself
    /// @param ports of the services it is an endpoint of; target ports are known
    List<String> policiesFor(String namespace, Binding own, Map<NamespacedHostname, List<ServicePort>> ports) {
        var guarded = new TreeMap<Integer, Set<Binding>>();
        var open = new TreeSet<Integer>();
        ports.forEach((service, itsPorts) -> {
            var binding = services.get(service);
            for (var port : itsPorts) {
                if (binding != null && binding.isEnforced()) {
                    guarded.computeIfAbsent(port.targetPort(), _ -> new HashSet<>())
                            .add(binding);
                } else {
                    open.add(port.targetPort());
                }
            }
        });
        if (guarded.isEmpty() && !own.isEnforced()) {
            return List.of();
        }
        var portsByBindings = new HashMap<Set<Binding>, Set<Integer>>();
        guarded.forEach((port, bindings) -> {
            var all = new HashSet<>(bindings);
            if (own.isEnforced()) {
                all.add(own); // who calls the pod by its address comes through the pod's waypoint
            }
            portsByBindings.computeIfAbsent(all, _ -> new TreeSet<>()).add(port);
        });
        var keys = new ArrayList<String>();
        portsByBindings.forEach((bindings, itsPorts) ->
                keys.add(policy(namespace, bindings, MatchFields.ports(itsPorts, Set.of()), "_" + joined(itsPorts))));
        if (own.isEnforced()) {
            open.addAll(guarded.keySet());
            keys.add(
                    open.isEmpty()
                            ? policy(namespace, Set.of(own), null, "")
                            : policy(
                                    namespace, Set.of(own), MatchFields.ports(Set.of(), open), "_not_" + joined(open)));
        }
        keys.sort(null);
        return keys;
    }

    /// All that {@link #policiesFor} has named so far.
    Collection<AuthorizationPolicy> policies() {
        return policies.values();
    }

    private String policy(String namespace, Set<Binding> bindings, @Nullable Match ports, String suffix) {
        var names = new TreeSet<String>();
        var callers = new TreeSet<String>();
        for (var binding : bindings) {
            names.addAll(binding.names());
            binding.callers().stream().map(WaypointGuard::principal).forEach(callers::add);
        }
        List<StringMatch> waypoints =
                callers.stream().<StringMatch>map(StringMatch.Exact::new).toList();
        var clauses = new ArrayList<Clause>();
        if (!waypoints.isEmpty()) { // otherwise nobody is the waypoint; an empty match would let everybody in
            clauses.add(new Clause(List.of(MatchFields.principals(List.of(), waypoints))));
        }
        if (ports != null) {
            clauses.add(new Clause(List.of(ports)));
        }
        var policy = new AuthorizationPolicy(
                PREFIX + String.join("+", names) + suffix,
                namespace,
                AuthorizationPolicy.Scope.WORKLOAD_SELECTOR,
                AuthorizationPolicy.Action.DENY,
                List.of(new Rule(clauses)),
                false);
        policies.put(policy.key(), policy);
        return policy.key();
    }

    /// `td/ns/NAMESPACE/sa/ACCOUNT`, the form that policies compare.
    private static String principal(SpiffeId identity) {
        return identity.trustDomain() + "/ns/" + identity.namespace() + "/sa/" + identity.serviceAccount();
    }

    private static String joined(Set<Integer> ports) {
        return ports.stream().sorted().map(String::valueOf).collect(Collectors.joining("-"));
    }
}
