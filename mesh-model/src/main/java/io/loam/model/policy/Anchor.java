package io.loam.model.policy;

import io.loam.model.address.CidrBlock;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch.Exact;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Something a connection must have for a policy to match it, by which the policy can be looked up. To have it is
/// necessary, not enough.
///
/// A policy's anchors are the union over its rules, since any rule suffices. Of a rule's clauses all must hold, so
/// the anchors of one do: those of the clause that tells connections apart best. Of a clause's matches any
/// suffices, and of the kinds of fields in a match all must hold, so again one kind does. A kind serves only if all
/// its values are exact; negations never serve.
sealed interface Anchor {
    record Principal(SpiffeId peer) implements Anchor {}

    record Account(ServiceAccountMatch account) implements Anchor {}

    record Namespace(String name) implements Anchor {}

    record Source(CidrBlock block) implements Anchor {}

    record Port(int port) implements Anchor {}

    /// 0 for what tells connections apart best.
    private static int rank(Anchor anchor) {
        return switch (anchor) {
            case Principal _ -> 0;
            case Account _ -> 1;
            case Namespace _ -> 2;
            case Source _ -> 3;
            case Port _ -> 4;
        };
    }

    /// @return null if some rule has no anchor, so that the policy has to be asked about each connection; empty if
    ///     it can match none
    static @Nullable Set<Anchor> of(AuthorizationPolicy policy) {
        return union(policy.rules(), Anchor::ofRule);
    }

    private static @Nullable Set<Anchor> ofRule(Rule rule) {
        Set<Anchor> best = null;
        int bestRank = Integer.MAX_VALUE;
        for (var clause : rule.clauses()) {
            var anchors = ofClause(clause);
            if (anchors == null) {
                continue;
            }
            int worst = anchors.stream().mapToInt(Anchor::rank).max().orElse(-1);
            if (worst < bestRank) {
                best = anchors;
                bestRank = worst;
            }
        }
        return best;
    }

    private static @Nullable Set<Anchor> ofClause(Clause clause) {
        return clause.matches().isEmpty() ? null : union(clause.matches(), Anchor::ofMatch);
    }

    private static @Nullable Set<Anchor> ofMatch(Match match) {
        var anchors = new LinkedHashSet<Anchor>();
        if (match.equals(Match.NOTHING)) {
            return anchors;
        }
        if (areExact(match.principals())) {
            for (var principal : match.principals()) { // what is no identity is nobody's
                SpiffeId.parsePrincipal(((Exact) principal).text())
                        .map(Principal::new)
                        .ifPresent(anchors::add);
            }
        } else if (!match.serviceAccounts().isEmpty()) {
            match.serviceAccounts().forEach(account -> anchors.add(new Account(account)));
        } else if (areExact(match.namespaces())) {
            match.namespaces().forEach(namespace -> anchors.add(new Namespace(((Exact) namespace).text())));
        } else if (!match.sourceIps().isEmpty()) {
            match.sourceIps().forEach(block -> anchors.add(new Source(block)));
        } else if (!match.destinationPorts().isEmpty()) {
            match.destinationPorts().forEach(port -> anchors.add(new Port(port)));
        } else {
            return null;
        }
        return anchors;
    }

    private static boolean areExact(List<StringMatch> matches) {
        return !matches.isEmpty() && matches.stream().allMatch(Exact.class::isInstance);
    }

    /// @return null as soon as one part has no anchor
    private static <T> @Nullable Set<Anchor> union(Collection<T> parts, Function<T, @Nullable Set<Anchor>> anchorsOf) {
        var all = new LinkedHashSet<Anchor>();
        for (var part : parts) {
            var anchors = anchorsOf.apply(part);
            if (anchors == null) {
                return null;
            }
            all.addAll(anchors);
        }
        return all;
    }
}
