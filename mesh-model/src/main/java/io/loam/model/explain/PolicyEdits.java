package io.loam.model.explain;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.IpBits;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.Match;
import io.loam.model.policy.PolicyFindings;
import io.loam.model.policy.StringMatch;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Changes of one policy that let a connection through, or turn it away. What they do to the whole verdict is for
/// {@link Flips} to try out.
final class PolicyEdits {
    private static final Match NO_FIELD = Match.NOTHING;
    private static final Rule MATCHES_NOBODY = new Rule(List.of(new Clause(List.of(NO_FIELD))));

    private final AuthorizationPolicy policy;
    private final ConnectionAttributes connection;
    private final WrittenPolicies written;

    PolicyEdits(AuthorizationPolicy policy, ConnectionAttributes connection, WrittenPolicies written) {
        this.policy = policy;
        this.connection = connection;
        this.written = written;
    }

    /// @param edits how many values it touches
    record Edit(String text, AuthorizationPolicy policy, int edits) {}

    /// The others keep their indexes, as their author counts them, also where several are removed.
    Edit withoutRule(int rule) {
        return new Edit("remove rules[" + rule + "] of " + name(), with(rule, MATCHES_NOBODY), 1);
    }

    /// A DENY rule that spares the peer.
    ///
    /// @return null for a caller without identity
    @Nullable
    Edit sparing(int rule) {
        var peer = connection.peer();
        if (peer == null) {
            return null;
        }
        var others = match(builder -> builder.notPrincipals.add(new StringMatch.Exact(peer.principal())));
        var clauses = new ArrayList<>(policy.rules().get(rule).clauses());
        clauses.add(new Clause(List.of(others)));
        int sources = written.sources(policy.key(), rule);
        var text = sources == 0
                ? "add from: [{source: {notPrincipals: [" + peer.principal() + "]}}] to rules[" + rule + "] of "
                : "add " + peer.principal() + " to source.notPrincipals of "
                        + (sources == 1 ? "from[0]" : "every entry of from") + " in rules[" + rule + "] of ";
        return new Edit(text + name(), with(rule, new Rule(clauses)), Math.max(1, sources));
    }

    /// An ALLOW policy with one more rule, for this caller and this port.
    ///
    /// @return null for a caller without identity
    @Nullable
    Edit withRuleForPeer() {
        var peer = connection.peer();
        if (peer == null) {
            return null;
        }
        var rules = new ArrayList<>(policy.rules());
        rules.add(ruleFor(peer, connection.destinationPort()));
        return new Edit(
                "add a rule to " + name() + ": from: [{source: {principals: [" + peer.principal()
                        + "]}}], to: [{operation: {ports: [\"" + connection.destinationPort() + "\"]}}]",
                with(rules),
                2);
    }

    static Rule ruleFor(SpiffeId peer, int port) {
        return new Rule(List.of(
                new Clause(List.of(match(builder -> builder.principals.add(new StringMatch.Exact(peer.principal()))))),
                new Clause(List.of(match(builder -> builder.ports.add(port))))));
    }

    static Rule ruleForPlaintext() {
        return new Rule(
                List.of(new Clause(List.of(match(builder -> builder.notPrincipals.add(new StringMatch.Presence()))))));
    }

    /// The smallest widening of a rule that makes it match.
    ///
    /// @return null if adding and removing values cannot do it
    @Nullable
    Edit widened(int rule) {
        var clauses = new ArrayList<>(policy.rules().get(rule).clauses());
        var texts = new ArrayList<String>();
        int sources = written.sources(policy.key(), rule);
        int operations = written.operations(policy.key(), rule);
        for (int i = 0; i < clauses.size(); i++) {
            var matches = clauses.get(i).matches();
            if (matches.isEmpty() || matches.stream().anyMatch(match -> PolicyFindings.holds(match, connection))) {
                continue;
            }
            List<String> fewest = null;
            for (int j = 0; j < matches.size(); j++) {
                var place = place(clauses, i, j, sources, operations);
                var widening = new Widening(matches.get(j), place);
                if (widening.possible && (fewest == null || widening.texts.size() < fewest.size())) {
                    fewest = widening.texts;
                    var changed = new ArrayList<>(matches);
                    changed.set(j, widening.result.build());
                    clauses.set(i, new Clause(changed));
                }
            }
            if (fewest == null) {
                return null;
            }
            texts.addAll(fewest);
        }
        return texts.isEmpty()
                ? null
                : new Edit(
                        String.join(" and ", texts) + " in rules[" + rule + "] of " + name(),
                        with(rule, new Rule(clauses)),
                        texts.size());
    }

    /// Where the author wrote a match: `from` comes first, then `to`, then `when`; a clause of another size, or one
    /// of which nothing is known, is called by what it is about.
    private static String place(List<Clause> clauses, int clause, int match, int sources, int operations) {
        boolean ports = clauses.get(clause).matches().stream().allMatch(PolicyEdits::isOperation);
        int size = clauses.get(clause).matches().size();
        if (!ports && clause == 0 && sources == size) {
            return "from[" + match + "].source.";
        }
        if (ports && operations == size && clause == (sources > 0 ? 1 : 0)) {
            return "to[" + match + "].operation.";
        }
        return "";
    }

    private static boolean isOperation(Match match) {
        var rest = new Builder(match);
        rest.ports.clear();
        rest.notPorts.clear();
        return rest.build().equals(NO_FIELD);
    }

    private String name() {
        return "AuthorizationPolicy " + policy.key();
    }

    private AuthorizationPolicy with(int rule, Rule changed) {
        var rules = new ArrayList<>(policy.rules());
        rules.set(rule, changed);
        return with(rules);
    }

    private AuthorizationPolicy with(List<Rule> rules) {
        return new AuthorizationPolicy(
                policy.name(), policy.namespace(), policy.scope(), policy.action(), rules, policy.dryRun());
    }

    private static Match match(Consumer<Builder> fill) {
        var builder = new Builder(NO_FIELD);
        fill.accept(builder);
        return builder.build();
    }

    /// A match whose every field is made to hold, one value each. Whether a field holds is asked of the evaluation
    /// itself, with a match that has nothing else.
    private final class Widening {
        final List<String> texts = new ArrayList<>();
        final Builder result;
        boolean possible = true;
        private final String place;

        Widening(Match match, String place) {
            this.place = place;
            result = new Builder(match);
            if (match.equals(NO_FIELD)) {
                possible = false; // stands for what a node agent cannot see: it never holds
                return;
            }
            var peer = connection.peer();
            positive(
                    "principals",
                    result.principals,
                    builder -> builder.principals,
                    peer == null ? null : new StringMatch.Exact(peer.principal()),
                    peer == null ? "" : peer.principal());
            positive(
                    "namespaces",
                    result.namespaces,
                    builder -> builder.namespaces,
                    peer == null ? null : new StringMatch.Exact(peer.namespace()),
                    peer == null ? "" : peer.namespace());
            positive(
                    "serviceAccounts",
                    result.accounts,
                    builder -> builder.accounts,
                    peer == null ? null : new Match.ServiceAccountMatch(peer.namespace(), peer.serviceAccount()),
                    peer == null ? "" : peer.namespace() + "/" + peer.serviceAccount());
            var source = block(connection.source());
            positive("ipBlocks", result.sources, builder -> builder.sources, source, source.toString());
            var destination = block(connection.destination());
            positive(
                    "destination.ip values",
                    result.destinations,
                    builder -> builder.destinations,
                    destination,
                    destination.toString());
            int port = connection.destinationPort();
            if (!result.ports.isEmpty() && !result.ports.contains(port)) {
                result.ports.add(port);
                texts.add("add \"" + port + "\" to " + place + "ports");
            }
            negative("notPrincipals", result.notPrincipals, builder -> builder.notPrincipals);
            negative("notNamespaces", result.notNamespaces, builder -> builder.notNamespaces);
            negative("notServiceAccounts", result.notAccounts, builder -> builder.notAccounts);
            negative("notIpBlocks", result.notSources, builder -> builder.notSources);
            negative("destination.ip notValues", result.notDestinations, builder -> builder.notDestinations);
            if (result.notPorts.remove(port)) {
                texts.add("remove \"" + port + "\" from " + place + "notPorts");
            }
            // a match that lost its last field would hold for nobody
            possible &= !result.build().equals(NO_FIELD) && PolicyFindings.holds(result.build(), connection);
        }

        private <V> void positive(
                String field, List<V> values, Function<Builder, List<V>> of, @Nullable V wanted, String text) {
            if (values.isEmpty() || holdsAlone(of, values)) {
                return;
            }
            if (wanted == null) {
                possible = false;
                return;
            }
            values.add(wanted);
            texts.add("add " + text + " to " + place + field);
        }

        private <V> void negative(String field, List<V> values, Function<Builder, List<V>> of) {
            for (var value : List.copyOf(values)) {
                if (!holdsAlone(of, List.of(value))) {
                    values.remove(value);
                    texts.add("remove " + text(value) + " from " + place + field);
                }
            }
        }

        private <V> boolean holdsAlone(Function<Builder, List<V>> field, List<V> values) {
            var alone = new Builder(NO_FIELD);
            field.apply(alone).addAll(values);
            return PolicyFindings.holds(alone.build(), connection);
        }
    }

    private static String text(Object value) {
        return switch (value) {
            case StringMatch.Exact(var text) -> text;
            case StringMatch.Prefix(var text) -> text + "*";
            case StringMatch.Suffix(var text) -> "*" + text;
            case StringMatch.Presence _ -> "*";
            case Match.ServiceAccountMatch(var namespace, var account) -> namespace + "/" + account;
            default -> value.toString();
        };
    }

    private static CidrBlock block(IpBits address) {
        return CidrBlock.parse(address.toString());
    }

    /// A match in the making.
    private static final class Builder {
        final List<StringMatch> namespaces;
        final List<StringMatch> notNamespaces;
        final List<StringMatch> principals;
        final List<StringMatch> notPrincipals;
        final List<Match.ServiceAccountMatch> accounts;
        final List<Match.ServiceAccountMatch> notAccounts;
        final List<CidrBlock> sources;
        final List<CidrBlock> notSources;
        final List<CidrBlock> destinations;
        final List<CidrBlock> notDestinations;
        final Set<Integer> ports;
        final Set<Integer> notPorts;

        Builder(Match from) {
            namespaces = new ArrayList<>(from.namespaces());
            notNamespaces = new ArrayList<>(from.notNamespaces());
            principals = new ArrayList<>(from.principals());
            notPrincipals = new ArrayList<>(from.notPrincipals());
            accounts = new ArrayList<>(from.serviceAccounts());
            notAccounts = new ArrayList<>(from.notServiceAccounts());
            sources = new ArrayList<>(from.sourceIps());
            notSources = new ArrayList<>(from.notSourceIps());
            destinations = new ArrayList<>(from.destinationIps());
            notDestinations = new ArrayList<>(from.notDestinationIps());
            ports = new HashSet<>(from.destinationPorts());
            notPorts = new HashSet<>(from.notDestinationPorts());
        }

        Match build() {
            return new Match(
                    namespaces,
                    notNamespaces,
                    principals,
                    notPrincipals,
                    accounts,
                    notAccounts,
                    sources,
                    notSources,
                    destinations,
                    notDestinations,
                    ports,
                    notPorts);
        }
    }
}
