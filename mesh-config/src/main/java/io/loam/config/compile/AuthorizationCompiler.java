package io.loam.config.compile;

import io.loam.config.object.AuthorizationPolicyObject;
import io.loam.config.object.AuthorizationPolicyObject.Action;
import io.loam.config.object.AuthorizationPolicyObject.Condition;
import io.loam.config.object.AuthorizationPolicyObject.Operation;
import io.loam.config.object.AuthorizationPolicyObject.Source;
import io.loam.config.object.StringPatterns;
import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import io.loam.model.address.CidrBlock;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.Match;
import io.loam.model.policy.StringMatch;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// AuthorizationPolicy for node agents, who see addresses, ports and identities but no HTTP (wire reference,
/// 7.3).
///
/// What they cannot evaluate errs on the closed side: an ALLOW rule that needs HTTP allows nothing, a DENY rule
/// denies as if its HTTP part matched. Istio lets a DENY that has nothing but HTTP collapse to one that never
/// matches; here it matches everything, and a warning says so.
final class AuthorizationCompiler {
    /// Stands for a rule that is left out, so that the others keep the index their author knows them by.
    static final Rule ALLOWS_NOTHING = new Rule(List.of(new Clause(List.of(Match.NOTHING))));

    /// Nobody's principal: a list of it matches nobody, where an empty list would match everybody.
    private static final List<StringMatch> NOBODY = List.of(new StringMatch.Exact(""));

    private final AuthorizationPolicyObject policy;
    private final String trustDomain;
    private final List<Problem> problems;

    private AuthorizationCompiler(AuthorizationPolicyObject policy, String trustDomain, List<Problem> problems) {
        this.policy = policy;
        this.trustDomain = trustDomain;
        this.problems = problems;
    }

    /// @return empty for policies that only waypoints enforce
    static Optional<AuthorizationPolicy> compile(
            AuthorizationPolicyObject policy, MeshSettings settings, List<Problem> problems) {
        return new AuthorizationCompiler(policy, settings.trustDomain(), problems).compile(settings.rootNamespaces());
    }

    private Optional<AuthorizationPolicy> compile(List<String> rootNamespaces) {
        if (!policy.targetRefs().isEmpty()) {
            var kinds = policy.targetRefs().stream()
                    .map(target -> target.kind() + " " + target.name())
                    .collect(Collectors.joining(", "));
            warn("spec.targetRefs", kinds, "", "only a waypoint enforces it, node agents do not");
            return Optional.empty();
        }
        var action = switch (policy.action()) {
            case ALLOW -> Optional.of(AuthorizationPolicy.Action.ALLOW);
            case DENY -> Optional.of(AuthorizationPolicy.Action.DENY);
            case AUDIT, CUSTOM -> Optional.<AuthorizationPolicy.Action>empty();
        };
        if (action.isEmpty()) {
            warn("spec.action", policy.action().name(), "ALLOW or DENY", "node agents do not enforce it");
            return Optional.empty();
        }
        var rules = new ArrayList<Rule>();
        for (int i = 0; i < policy.rules().size(); i++) {
            checkTrustDomains("spec.rules[" + i + "]", policy.rules().get(i));
            rules.add(rule(i, policy.rules().get(i)));
        }
        return Optional.of(new AuthorizationPolicy(
                policy.meta().name(),
                policy.meta().namespace(),
                scope(rootNamespaces),
                action.get(),
                rules,
                policy.dryRun()));
    }

    private Scope scope(List<String> rootNamespaces) {
        if (!policy.selector().isEmpty()) {
            return Scope.WORKLOAD_SELECTOR;
        }
        return rootNamespaces.contains(policy.meta().namespace()) ? Scope.GLOBAL : Scope.NAMESPACE;
    }

    private Rule rule(int index, AuthorizationPolicyObject.Rule rule) {
        var beyondL4 = new LinkedHashSet<String>();
        var clauses = new ArrayList<Clause>();
        boolean alone = rule.from().size() == 1;
        addClause(
                rule.from().stream()
                        .map(source -> match(source, alone, clauses, beyondL4))
                        .toList(),
                clauses);
        addClause(
                rule.to().stream().map(operation -> match(operation, beyondL4)).toList(), clauses);
        for (var condition : rule.when()) {
            addClause(List.of(match(condition, beyondL4)), clauses);
        }
        if (beyondL4.isEmpty()) {
            return new Rule(clauses);
        }
        boolean allow = policy.action() == Action.ALLOW;
        warn(
                "spec.rules[" + index + "]",
                String.join(", ", beyondL4),
                "addresses, ports and identities only",
                "node agents cannot see this, so the rule "
                        + (allow
                                ? "allows nothing"
                                : clauses.isEmpty()
                                        ? "denies every connection in its scope"
                                        : "denies everything that its other fields match"));
        return allow ? ALLOWS_NOTHING : new Rule(clauses);
    }

    /// A match that is left with no field stands for "anything": then the whole clause does not restrict, and
    /// is left out, because a match without fields never matches on the wire.
    private static void addClause(List<Match> alternatives, List<Clause> clauses) {
        if (!alternatives.isEmpty() && !alternatives.contains(Match.NOTHING)) {
            clauses.add(new Clause(alternatives));
        }
    }

    /// The wire has no trust domains: they are what principals start with. Where a source names both, the
    /// principals of another trust domain drop out; where that cannot be told by their text, trust domains are
    /// a clause of their own, which only a rule with a single source can have.
    private static Match match(Source source, boolean alone, List<Clause> clauses, Set<String> beyondL4) {
        beyondL4.addAll(new TreeSet<>(source.http().keySet()));
        var principals = source.principals();
        var domains = source.trustDomains();
        if (!domains.isEmpty()) {
            if (!principals.isEmpty() && principals.stream().allMatch(AuthorizationCompiler::namesItsTrustDomain)) {
                principals = principals.stream()
                        .filter(principal -> isOf(principal, domains))
                        .toList();
                principals = principals.isEmpty() ? NOBODY : principals;
            } else if (!areAnchored(domains)) {
                beyondL4.add("trustDomains");
            } else if (principals.isEmpty()) {
                principals = ofTrustDomains(domains);
            } else if (alone) {
                clauses.add(new Clause(List.of(MatchFields.principals(ofTrustDomains(domains), List.of()))));
            } else {
                beyondL4.add("trustDomains");
            }
        }
        var notPrincipals = source.notPrincipals();
        var notDomains = source.notTrustDomains();
        if (!notDomains.isEmpty()) {
            if (areAnchored(notDomains)) {
                notPrincipals = Stream.concat(notPrincipals.stream(), ofTrustDomains(notDomains).stream())
                        .toList();
            } else if (!principals.isEmpty()
                    && principals.stream().allMatch(AuthorizationCompiler::namesItsTrustDomain)) {
                principals = principals.stream()
                        .filter(principal -> !isOf(principal, notDomains))
                        .toList();
                principals = principals.isEmpty() ? NOBODY : principals;
            } else {
                beyondL4.add("notTrustDomains");
            }
        }
        return new Match(
                source.namespaces(),
                source.notNamespaces(),
                principals,
                notPrincipals,
                source.serviceAccounts(),
                source.notServiceAccounts(),
                source.ipBlocks(),
                source.notIpBlocks(),
                List.of(),
                List.of(),
                Set.of(),
                Set.of());
    }

    private static Match match(Operation operation, Set<String> beyondL4) {
        beyondL4.addAll(new TreeSet<>(operation.http().keySet()));
        return MatchFields.ports(operation.ports(), operation.notPorts());
    }

    private Match match(Condition condition, Set<String> beyondL4) {
        var values = condition.values();
        var notValues = condition.notValues();
        return switch (condition.key()) {
            case "source.ip" -> MatchFields.sourceIps(blocks(values), blocks(notValues));
            case "source.namespace" -> MatchFields.namespaces(patterns(values), patterns(notValues));
            case "source.principal" -> MatchFields.principals(patterns(values), patterns(notValues));
            case "source.serviceAccount" ->
                MatchFields.serviceAccounts(serviceAccounts(values), serviceAccounts(notValues));
            case "destination.ip" -> MatchFields.destinationIps(blocks(values), blocks(notValues));
            case "destination.port" -> MatchFields.ports(ports(values), ports(notValues));
            case "source.trustDomain" -> {
                if (areAnchored(patterns(values)) && areAnchored(patterns(notValues))) {
                    yield MatchFields.principals(ofTrustDomains(patterns(values)), ofTrustDomains(patterns(notValues)));
                }
                beyondL4.add(condition.key());
                yield Match.NOTHING;
            }
            default -> {
                beyondL4.add(condition.key());
                yield Match.NOTHING;
            }
        };
    }

    private static List<StringMatch> patterns(List<String> values) {
        return values.stream().map(StringPatterns::parse).toList();
    }

    private static List<CidrBlock> blocks(List<String> values) {
        return values.stream().map(CidrBlock::parse).toList();
    }

    private static Set<Integer> ports(List<String> values) {
        return values.stream().map(Integer::valueOf).collect(Collectors.toSet());
    }

    private List<Match.ServiceAccountMatch> serviceAccounts(List<String> values) {
        return values.stream()
                .map(value -> StringPatterns.serviceAccount(value, policy.meta().namespace()))
                .toList();
    }

    private static boolean areAnchored(List<StringMatch> trustDomains) {
        return trustDomains.stream().noneMatch(StringMatch.Suffix.class::isInstance);
    }

    /// Whether everybody that matches is of one trust domain, the one in the text.
    private static boolean namesItsTrustDomain(StringMatch principal) {
        return switch (principal) {
            case StringMatch.Exact _ -> true;
            case StringMatch.Prefix(String text) -> text.indexOf('/') >= 0;
            case StringMatch.Suffix _, StringMatch.Presence _ -> false;
        };
    }

    private void checkTrustDomains(String path, AuthorizationPolicyObject.Rule rule) {
        for (int i = 0; i < rule.from().size(); i++) {
            var source = path + ".from[" + i + "].source.";
            checkTrustDomains(source + "principals", rule.from().get(i).principals());
            checkTrustDomains(source + "notPrincipals", rule.from().get(i).notPrincipals());
        }
        for (int i = 0; i < rule.when().size(); i++) {
            var condition = rule.when().get(i);
            if (condition.key().equals("source.principal")) {
                checkTrustDomains(path + ".when[" + i + "].values", patterns(condition.values()));
                checkTrustDomains(path + ".when[" + i + "].notValues", patterns(condition.notValues()));
            }
        }
    }

    /// The usual cause is an example with `cluster.local` in a mesh that is called otherwise. A warning and no error:
    /// the roots of another mesh may be trusted as well.
    private void checkTrustDomains(String field, List<StringMatch> principals) {
        var others = principals.stream()
                .map(this::writtenForAnotherMesh)
                .flatMap(Optional::stream)
                .collect(Collectors.joining(", "));
        if (!others.isEmpty()) {
            warn(
                    field,
                    others,
                    "principals of " + trustDomain + ", such as " + trustDomain + "/ns/NAMESPACE/sa/ACCOUNT",
                    "of another trust domain, so it matches no workload of this mesh");
        }
    }

    /// @return the principal as it was written, if nobody of this mesh has it for its trust domain alone
    private Optional<String> writtenForAnotherMesh(StringMatch principal) {
        var start = trustDomain + "/";
        return switch (principal) {
            case StringMatch.Exact(String text) ->
                text.startsWith(start) || text.indexOf('/') < 0 ? Optional.empty() : Optional.of(text);
            case StringMatch.Prefix(String text) ->
                text.startsWith(start) || start.startsWith(text) ? Optional.empty() : Optional.of(text + "*");
            case StringMatch.Suffix _, StringMatch.Presence _ -> Optional.empty();
        };
    }

    private static boolean isOf(StringMatch principal, List<StringMatch> trustDomains) {
        var text = switch (principal) {
            case StringMatch.Exact(String exact) -> exact;
            case StringMatch.Prefix(String prefix) -> prefix;
            case StringMatch.Suffix(String suffix) -> suffix;
            case StringMatch.Presence _ -> "";
        };
        int slash = text.indexOf('/');
        var domain = slash < 0 ? text : text.substring(0, slash);
        return trustDomains.stream().anyMatch(pattern -> pattern.matches(domain));
    }

    /// A trust domain is what a principal starts with.
    private static List<StringMatch> ofTrustDomains(List<StringMatch> trustDomains) {
        return trustDomains.stream()
                .map(match ->
                        match instanceof StringMatch.Exact(String text) ? new StringMatch.Prefix(text + "/") : match)
                .toList();
    }

    private void warn(String field, String value, String expected, String reason) {
        problems.add(new Problem(
                Severity.WARNING,
                policy.meta().origin().of(field),
                policy.key().toString(),
                field,
                value,
                expected,
                reason));
    }
}
