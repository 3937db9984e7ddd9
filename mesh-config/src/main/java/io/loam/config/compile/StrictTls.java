package io.loam.config.compile;

import io.loam.config.object.ObjectMeta;
import io.loam.config.object.PeerAuthenticationObject;
import io.loam.config.object.PeerAuthenticationObject.Mode;
import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.StringMatch;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// PeerAuthentication as DENY policies against callers without an identity (wire reference, 7.4).
///
/// The narrowest scope that says anything wins (workload, namespace, mesh); inside one scope the oldest, by
/// `creationTimestamp`, those without one last, then by name.
final class StrictTls {
    static final String STRICT_POLICY = "istio_converted_static_strict";
    static final String PORT_POLICY_PREFIX = "converted_peer_authentication_";

    private static final Clause WITHOUT_IDENTITY =
            new Clause(List.of(MatchFields.principals(List.of(), List.of(new StringMatch.Presence()))));
    private static final Comparator<PeerAuthenticationObject> OLDEST_FIRST = Comparator.comparing(
            PeerAuthenticationObject::meta,
            Comparator.comparing(ObjectMeta::created, Comparator.nullsLast(Comparator.naturalOrder()))
                    .thenComparing(ObjectMeta::name)
                    .thenComparing(ObjectMeta::namespace));

    private final String rootNamespace;
    private final Map<String, PeerAuthenticationObject> byNamespace = new HashMap<>();
    private final Map<String, List<PeerAuthenticationObject>> withSelector = new HashMap<>();
    private final Map<String, AuthorizationPolicy> portPolicies = new TreeMap<>();
    private final Set<PeerAuthenticationObject> reported = new LinkedHashSet<>();
    private final List<Problem> problems;
    private @Nullable PeerAuthenticationObject meshWide;

    StrictTls(List<PeerAuthenticationObject> all, List<String> rootNamespaces, List<Problem> problems) {
        this.rootNamespace = rootNamespaces.getFirst();
        this.problems = problems;
        for (var one : all.stream().sorted(OLDEST_FIRST).toList()) {
            var namespace = one.meta().namespace();
            boolean root = rootNamespaces.contains(namespace);
            if (root && !one.selector().isEmpty()) {
                warn(one, "spec.selector", "a selector", "no selector in a root namespace", "ignored as a whole");
            } else if (!one.selector().isEmpty()) {
                withSelector.computeIfAbsent(namespace, _ -> new ArrayList<>()).add(one);
            } else if (root) {
                if (meshWide == null) {
                    meshWide = one;
                } else {
                    warnOfOlder(one, meshWide);
                }
            } else {
                var older = byNamespace.putIfAbsent(namespace, one);
                if (older != null) {
                    warnOfOlder(one, older);
                }
            }
        }
    }

    /// The key of the policy that a workload has to name, empty where plaintext is welcome.
    Optional<String> policyFor(String namespace, Map<String, String> labels) {
        var own = own(namespace, labels);
        var base = firstSet(own, byNamespace.get(namespace), meshWide);
        if (own != null) {
            var exceptions = new TreeSet<Integer>();
            own.portModes().forEach((port, mode) -> {
                if (mode != Mode.UNSET && isStrict(mode) != isStrict(base)) {
                    exceptions.add(port);
                }
            });
            if (!exceptions.isEmpty()) {
                var policy = portPolicy(own, isStrict(base), exceptions);
                portPolicies.put(policy.key(), policy);
                return Optional.of(policy.key());
            }
        }
        return isStrict(base) ? Optional.of(rootNamespace + "/" + STRICT_POLICY) : Optional.empty();
    }

    /// The policies that {@link #policyFor} has named so far, and the strict one. That one is always there, so that no
    /// workload ever names it before it is known, which would leave the workload open for that time.
    List<AuthorizationPolicy> policies() {
        var policies = new ArrayList<>(portPolicies.values());
        policies.add(deny(rootNamespace, STRICT_POLICY, List.of(WITHOUT_IDENTITY)));
        return policies;
    }

    private @Nullable PeerAuthenticationObject own(String namespace, Map<String, String> labels) {
        PeerAuthenticationObject winner = null;
        for (var candidate : withSelector.getOrDefault(namespace, List.of())) {
            if (!labels.entrySet().containsAll(candidate.selector().entrySet())) {
                continue;
            }
            if (winner == null) {
                winner = candidate;
            } else if (reported.add(candidate)) {
                warnOfOlder(candidate, winner);
            }
        }
        return winner;
    }

    private static Mode firstSet(@Nullable PeerAuthenticationObject... narrowestFirst) {
        for (var one : narrowestFirst) {
            if (one != null && one.mode() != Mode.UNSET) {
                return one.mode();
            }
        }
        return Mode.PERMISSIVE;
    }

    private static boolean isStrict(Mode mode) {
        return switch (mode) {
            case STRICT -> true;
            case UNSET, DISABLE, PERMISSIVE -> false;
        };
    }

    private static AuthorizationPolicy portPolicy(
            PeerAuthenticationObject own, boolean strictElsewhere, Set<Integer> exceptions) {
        var ports = strictElsewhere ? MatchFields.ports(Set.of(), exceptions) : MatchFields.ports(exceptions, Set.of());
        return deny(
                own.meta().namespace(),
                PORT_POLICY_PREFIX + own.meta().name(),
                List.of(WITHOUT_IDENTITY, new Clause(List.of(ports))));
    }

    private static AuthorizationPolicy deny(String namespace, String name, List<Clause> clauses) {
        return new AuthorizationPolicy(
                name,
                namespace,
                AuthorizationPolicy.Scope.WORKLOAD_SELECTOR,
                AuthorizationPolicy.Action.DENY,
                List.of(new Rule(clauses)),
                false);
    }

    private void warnOfOlder(PeerAuthenticationObject ignored, PeerAuthenticationObject used) {
        warn(
                ignored,
                "metadata.name",
                ignored.meta().name(),
                "one PeerAuthentication for the same workloads",
                used.key() + " at " + used.meta().position() + " is older and wins");
    }

    private void warn(PeerAuthenticationObject object, String field, String value, String expected, String reason) {
        problems.add(new Problem(
                Severity.WARNING,
                object.meta().origin().of(field),
                object.key().toString(),
                field,
                value,
                expected,
                reason));
    }
}
