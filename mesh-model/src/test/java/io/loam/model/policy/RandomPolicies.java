package io.loam.model.policy;

import static io.loam.model.Meshes.ip;

import io.loam.model.address.CidrBlock;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch.Exact;
import io.loam.model.policy.StringMatch.Prefix;
import io.loam.model.policy.StringMatch.Presence;
import io.loam.model.policy.StringMatch.Suffix;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;

/// Policies of every shape over few names, so that much of it matches something. Names are parts of each other, and of
/// the words inside a principal.
final class RandomPolicies {
    private static final List<String> DOMAINS = List.of("td", "td.example", "ns");
    private static final List<String> NAMES = List.of("shop", "shopping", "hop", "sa", "ns", "a");
    private static final List<String> ADDRESSES =
            List.of("10.0.0.1", "10.0.0.2", "10.0.1.1", "192.168.0.1", "fd00::1", "fd00::2", "fd00:1::1");
    private static final List<String> BLOCKS = List.of(
            "10.0.0.0/24",
            "10.0.0.1",
            "10.0.0.2",
            "10.0.0.0/8",
            "10.0.0.0/31",
            "0.0.0.0/0",
            "fd00::1",
            "fd00::/64",
            "fd00::/16",
            "::/0",
            "10.0.0.7/24");

    private final Random random;

    RandomPolicies(long seed) {
        random = new Random(seed);
    }

    int below(int bound) {
        return random.nextInt(bound);
    }

    ConnectionAttributes connection() {
        var peer = random.nextInt(4) == 0 ? null : identity();
        return new ConnectionAttributes(peer, ip(pick(ADDRESSES)), ip(pick(ADDRESSES)), 80 + random.nextInt(4));
    }

    String namespace() {
        return pick(NAMES);
    }

    AuthorizationPolicy policy(int number) {
        var scope = pick(List.of(Scope.GLOBAL, Scope.NAMESPACE, Scope.WORKLOAD_SELECTOR));
        return new AuthorizationPolicy(
                "p" + number,
                pick(NAMES),
                scope,
                random.nextBoolean() ? Action.ALLOW : Action.DENY,
                several(random.nextInt(4), this::rule),
                random.nextInt(4) == 0);
    }

    private Rule rule() {
        return new Rule(several(random.nextInt(10) == 0 ? 0 : 1 + random.nextInt(3), this::clause));
    }

    private Clause clause() {
        return new Clause(several(random.nextInt(12) == 0 ? 0 : 1 + random.nextInt(2), this::match));
    }

    /// A few kinds of fields each, seldom none.
    Match match() {
        int odds = 6;
        return new Match(
                listWithOdds(odds, this::namespacePattern),
                listWithOdds(2 * odds, this::namespacePattern),
                listWithOdds(odds, this::principalPattern),
                listWithOdds(2 * odds, this::principalPattern),
                listWithOdds(odds, this::account),
                listWithOdds(2 * odds, this::account),
                listWithOdds(odds, this::block),
                listWithOdds(2 * odds, this::block),
                listWithOdds(odds, this::block),
                listWithOdds(2 * odds, this::block),
                Set.copyOf(new HashSet<>(listWithOdds(odds, () -> 80 + random.nextInt(5)))),
                Set.copyOf(new HashSet<>(listWithOdds(2 * odds, () -> 80 + random.nextInt(5)))));
    }

    private StringMatch namespacePattern() {
        return random.nextInt(12) == 0 ? new Exact("") : pattern(pick(NAMES));
    }

    private StringMatch principalPattern() {
        return switch (random.nextInt(12)) {
            case 0 -> new Exact("no identity");
            case 1 -> new Prefix(pick(List.of("td/", "td/n", "td/ns/", "td/x/", "/ns/", "td/ns//", "td/ns/shop/sa/s")));
            case 2 -> new Suffix(pick(List.of("/sa/shop", "sa/shop", "a/shop", "/shop", "/sa/", "x/hop", "/sa/sa")));
            default -> pattern(identity().principal());
        };
    }

    private StringMatch pattern(String text) {
        int cut = random.nextInt(text.length() + 1);
        return switch (random.nextInt(6)) {
            case 0, 1 -> new Prefix(text.substring(0, cut));
            case 2, 3 -> new Suffix(text.substring(cut));
            case 4 -> random.nextInt(3) == 0 ? new Presence() : new Exact(text.substring(0, cut));
            default -> new Exact(text);
        };
    }

    private ServiceAccountMatch account() {
        return new ServiceAccountMatch(pick(NAMES), pick(NAMES));
    }

    private CidrBlock block() {
        return CidrBlock.parse(pick(BLOCKS));
    }

    private SpiffeId identity() {
        return new SpiffeId(pick(DOMAINS), pick(NAMES), pick(NAMES));
    }

    private <V> List<V> listWithOdds(int odds, Supplier<V> value) {
        return random.nextInt(odds) == 0 ? several(1 + random.nextInt(2), value) : List.of();
    }

    private static <V> List<V> several(int count, Supplier<V> value) {
        var values = new ArrayList<V>();
        for (int i = 0; i < count; i++) {
            values.add(value.get());
        }
        return values;
    }

    <V> V pick(List<V> values) {
        return values.get(random.nextInt(values.size()));
    }
}
