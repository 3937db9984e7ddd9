package io.loam.model.policy;

import io.loam.model.address.CidrBlock;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.Match.ServiceAccountMatch;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/// Wire reference, 7.1 and 7.2, sentence by sentence and without any thought of speed: what the real one is compared
/// with. It shares no code with it but the records that policies are made of.
final class NaiveAuthorizer {
    private final List<AuthorizationPolicy> applicable = new ArrayList<>();
    private final List<String> unknown = new ArrayList<>();

    /// "Policies of scope NAMESPACE in its namespace ∪ GLOBAL ∪ the names in its authorization_policies." In the order
    /// in which we ask them: mesh, namespace, named, each by key.
    NaiveAuthorizer(Collection<AuthorizationPolicy> all, String namespace, List<String> named) {
        var sorted = all.stream()
                .sorted(Comparator.comparing(AuthorizationPolicy::key))
                .toList();
        sorted.stream().filter(policy -> policy.scope() == Scope.GLOBAL).forEach(applicable::add);
        sorted.stream()
                .filter(policy -> policy.scope() == Scope.NAMESPACE)
                .filter(policy -> policy.namespace().equals(namespace))
                .forEach(applicable::add);
        sorted.stream()
                .filter(policy -> named.contains(policy.key()) && !applicable.contains(policy))
                .forEach(applicable::add);
        for (var name : named) {
            if (all.stream().noneMatch(policy -> policy.key().equals(name))) {
                unknown.add(name);
            }
        }
    }

    Verdict decide(ConnectionAttributes connection) {
        for (var policy : enforced(Action.DENY)) {
            int rule = matchingRule(policy, connection);
            if (rule >= 0) {
                return new Verdict.Denied(policy.key(), rule);
            }
        }
        if (!unknown.isEmpty()) {
            return new Verdict.Undecided(unknown.getFirst()); // ours: the reference skips it with a warning
        }
        var allowing = enforced(Action.ALLOW);
        if (allowing.isEmpty()) {
            return new Verdict.Allowed("");
        }
        for (var policy : allowing) {
            if (matchingRule(policy, connection) >= 0) {
                return new Verdict.Allowed(policy.key());
            }
        }
        return new Verdict.NotMatched(
                allowing.size(),
                allowing.stream().limit(3).map(AuthorizationPolicy::key).toList());
    }

    List<DryRunFinding> dryRun(ConnectionAttributes connection) {
        var findings = new ArrayList<DryRunFinding>();
        for (var policy : dryRun(Action.DENY)) {
            int rule = matchingRule(policy, connection);
            if (rule >= 0) {
                findings.add(new DryRunFinding.WouldDeny(policy.key(), rule));
            }
        }
        boolean any = false;
        for (var policy : dryRun(Action.ALLOW)) {
            int rule = matchingRule(policy, connection);
            if (rule >= 0) {
                any = true;
                findings.add(new DryRunFinding.WouldAllow(policy.key(), rule));
            }
        }
        if (!any && !dryRun(Action.ALLOW).isEmpty()) {
            findings.add(new DryRunFinding.NoneWouldAllow(dryRun(Action.ALLOW).size()));
        }
        return findings.stream().limit(Authorizer.MOST_FINDINGS).toList();
    }

    private List<AuthorizationPolicy> enforced(Action action) {
        return applicable.stream()
                .filter(policy -> policy.action() == action && !policy.dryRun())
                .toList();
    }

    private List<AuthorizationPolicy> dryRun(Action action) {
        return applicable.stream()
                .filter(policy -> policy.action() == action && policy.dryRun())
                .toList();
    }

    /// "Rules OR."
    private static int matchingRule(AuthorizationPolicy policy, ConnectionAttributes connection) {
        for (int rule = 0; rule < policy.rules().size(); rule++) {
            if (matches(policy.rules().get(rule), connection)) {
                return rule;
            }
        }
        return -1;
    }

    /// "Clauses of a rule AND; rule with no clauses matches everything."
    private static boolean matches(Rule rule, ConnectionAttributes connection) {
        return rule.clauses().stream().allMatch(clause -> matches(clause, connection));
    }

    /// "Matches of a clause OR; clause with no matches matches."
    private static boolean matches(Clause clause, ConnectionAttributes connection) {
        return clause.matches().isEmpty() || clause.matches().stream().anyMatch(match -> matches(match, connection));
    }

    /// "Field kinds inside a match AND; values of a field OR; not_x = none of the values matches; positive and negative
    /// lists of one kind AND. A match with no fields at all never matches."
    private static boolean matches(Match match, ConnectionAttributes connection) {
        if (match.equals(Match.NOTHING)) {
            return false;
        }
        var peer = connection.peer();
        var namespace = peer == null ? "" : peer.namespace();
        var account = peer == null ? null : new ServiceAccountMatch(peer.namespace(), peer.serviceAccount());
        var source = connection.source().toInetAddress();
        var destination = connection.destination().toInetAddress();
        int port = connection.destinationPort();
        return positive(match.namespaces(), one -> matches(one, namespace))
                && match.notNamespaces().stream().noneMatch(one -> matches(one, namespace))
                && positive(match.principals(), one -> peer != null && matches(one, peer.principal()))
                && match.notPrincipals().stream().noneMatch(one -> peer != null && matches(one, peer.principal()))
                && positive(match.serviceAccounts(), one -> one.equals(account))
                && match.notServiceAccounts().stream().noneMatch(one -> one.equals(account))
                && positive(match.sourceIps(), (CidrBlock one) -> one.contains(source))
                && match.notSourceIps().stream().noneMatch(one -> one.contains(source))
                && positive(match.destinationIps(), (CidrBlock one) -> one.contains(destination))
                && match.notDestinationIps().stream().noneMatch(one -> one.contains(destination))
                && positive(match.destinationPorts(), one -> one == port)
                && match.notDestinationPorts().stream().noneMatch(one -> one == port);
    }

    private static <V> boolean positive(Collection<V> values, java.util.function.Predicate<V> matches) {
        return values.isEmpty() || values.stream().anyMatch(matches);
    }

    /// "Exact; prefix; suffix; presence = non-empty. An empty subject matches nothing but an empty exact."
    private static boolean matches(StringMatch match, String subject) {
        return switch (match) {
            case StringMatch.Exact(var text) -> subject.equals(text);
            case StringMatch.Prefix(var text) -> !subject.isEmpty() && subject.startsWith(text);
            case StringMatch.Suffix(var text) -> !subject.isEmpty() && subject.endsWith(text);
            case StringMatch.Presence() -> !subject.isEmpty();
        };
    }
}
