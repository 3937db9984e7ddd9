package io.loam.model.policy;

import io.loam.model.address.CidrBlock;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch.Exact;
import io.loam.model.policy.StringMatch.Prefix;
import io.loam.model.policy.StringMatch.Presence;
import io.loam.model.policy.StringMatch.Suffix;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/// Something a connection must have for a rule to match it, by which the rule can be looked up. To have it is
/// necessary, not enough.
///
/// Of a rule's clauses all must hold, so the anchors of one do. Of a clause's matches any suffices, so the anchors of
/// each are needed; and of the kinds of fields in a match all must hold, so again one kind does. Among several that do,
/// those are taken that the fewest other rules have. A kind serves only if each of its values says something about a
/// connection: negations and `*` never do.
sealed interface Anchor {
    record Principal(SpiffeId peer) implements Anchor {}

    record Account(ServiceAccountMatch account) implements Anchor {}

    /// @param name of the peer's namespace; never a presence, never an empty prefix or suffix
    record Namespace(StringMatch name) implements Anchor {}

    /// @param name of the peer's service account, as in {@link Namespace}
    record AccountName(StringMatch name) implements Anchor {}

    record Source(CidrBlock block) implements Anchor {}

    record Destination(CidrBlock block) implements Anchor {}

    record Port(int port) implements Anchor {}

    /// 0 for what tells connections apart best, where nothing else decides.
    private static int rank(Anchor anchor) {
        return switch (anchor) {
            case Principal _ -> 0;
            case Account _ -> 1;
            case AccountName _ -> 2;
            case Namespace _ -> 3;
            case Source _ -> 4;
            case Port _ -> 5;
            case Destination _ -> 6; // the workload's own addresses: nearly all its connections have them in common
        };
    }

    /// All anchors that a rule could be filed under.
    static Set<Anchor> candidates(Rule rule) {
        var all = new LinkedHashSet<Anchor>();
        rule.clauses()
                .forEach(
                        clause -> clause.matches().forEach(match -> kinds(match).forEach(all::addAll)));
        return all;
    }

    /// @param frequency how many rules could be filed under an anchor
    /// @return null if the rule has to be asked about each connection; empty if it can match none
    static @Nullable Set<Anchor> of(Rule rule, ToIntFunction<Anchor> frequency) {
        Set<Anchor> best = null;
        for (var clause : rule.clauses()) {
            best = better(best, ofClause(clause, frequency), frequency);
        }
        return best;
    }

    private static @Nullable Set<Anchor> ofClause(Clause clause, ToIntFunction<Anchor> frequency) {
        if (clause.matches().isEmpty()) {
            return null; // demands nothing
        }
        var all = new LinkedHashSet<Anchor>();
        for (var match : clause.matches()) {
            if (match.equals(Match.NOTHING)) {
                continue; // matches nothing, so it adds nobody
            }
            Set<Anchor> best = null;
            for (var kind : kinds(match)) {
                best = better(best, kind, frequency);
            }
            if (best == null) {
                return null;
            }
            all.addAll(best);
        }
        return all;
    }

    private static @Nullable Set<Anchor> better(
            @Nullable Set<Anchor> one, @Nullable Set<Anchor> other, ToIntFunction<Anchor> frequency) {
        if (one == null || other == null) {
            return one == null ? other : one;
        }
        int byFrequency = Integer.compare(worst(one, frequency), worst(other, frequency));
        int order =
                byFrequency != 0 ? byFrequency : Integer.compare(worst(one, Anchor::rank), worst(other, Anchor::rank));
        return order <= 0 ? one : other;
    }

    /// -1 for no anchor at all, which is best: the rule is never asked.
    private static int worst(Set<Anchor> anchors, ToIntFunction<Anchor> of) {
        return anchors.stream().mapToInt(of).max().orElse(-1);
    }

    /// For each kind of field that serves, its anchors.
    private static List<Set<Anchor>> kinds(Match match) {
        var kinds = new ArrayList<Set<Anchor>>();
        addKind(match.principals(), Anchor::ofPrincipal, kinds);
        addKind(match.serviceAccounts(), account -> Set.of(new Account(account)), kinds);
        addKind(match.namespaces(), name -> serves(name) ? Set.of(new Namespace(name)) : null, kinds);
        addKind(match.sourceIps(), block -> Set.of(new Source(block)), kinds);
        addKind(match.destinationIps(), block -> Set.of(new Destination(block)), kinds);
        addKind(match.destinationPorts(), port -> Set.of(new Port(port)), kinds);
        return kinds;
    }

    private static <V> void addKind(Iterable<V> values, AnchorsOf<V> anchorsOf, List<Set<Anchor>> kinds) {
        var all = new LinkedHashSet<Anchor>();
        boolean any = false;
        for (var value : values) {
            var anchors = anchorsOf.apply(value);
            if (anchors == null) {
                return;
            }
            any = true;
            all.addAll(anchors);
        }
        if (any) {
            kinds.add(all);
        }
    }

    /// Null where a value says nothing about connections, empty where it matches none.
    @FunctionalInterface
    interface AnchorsOf<V> {
        @Nullable
        Set<Anchor> apply(V value);
    }

    private static boolean serves(StringMatch name) {
        return switch (name) {
            case Exact _ -> true;
            case Prefix(var text) -> !text.isEmpty();
            case Suffix(var text) -> !text.isEmpty();
            case Presence() -> false;
        };
    }

    private static @Nullable Set<Anchor> ofPrincipal(StringMatch principal) {
        return switch (principal) {
            case Exact(var text) -> // what is no identity is nobody's
                SpiffeId.parsePrincipal(text)
                        .<Set<Anchor>>map(peer -> Set.of(new Principal(peer)))
                        .orElse(Set.of());
            case Prefix(var text) -> ofPrincipalPrefix(text);
            case Suffix(var text) -> ofPrincipalSuffix(text);
            case Presence() -> null;
        };
    }

    /// `cluster.local/ns/shop/…` is for one namespace, `cluster.local/ns/sh` for those that begin so. None of the three
    /// names has a slash in it.
    private static @Nullable Set<Anchor> ofPrincipalPrefix(String text) {
        var marker = "/ns/";
        int start = text.indexOf('/');
        if (start < 0 || !text.startsWith(marker, start)) {
            return null;
        }
        int from = start + marker.length();
        int to = text.indexOf('/', from);
        if (to >= 0) {
            return Set.of(new Namespace(new Exact(text.substring(from, to))));
        }
        return from == text.length() ? null : Set.of(new Namespace(new Prefix(text.substring(from))));
    }

    /// `…/shop/sa/cart` is for one account of one namespace, `…/cart` for accounts of this name, `art` for
    /// those that end so.
    private static @Nullable Set<Anchor> ofPrincipalSuffix(String text) {
        int slash = text.lastIndexOf('/');
        if (slash < 0) {
            return text.isEmpty() ? null : Set.of(new AccountName(new Suffix(text)));
        }
        var account = text.substring(slash + 1);
        int marker = slash - "/sa".length();
        int start = marker <= 0 ? -1 : text.lastIndexOf('/', marker - 1);
        if (start >= 0 && text.startsWith("/sa", marker)) {
            return Set.of(new Account(new ServiceAccountMatch(text.substring(start + 1, marker), account)));
        }
        return Set.of(new AccountName(new Exact(account)));
    }
}
