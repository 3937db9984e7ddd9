package io.loam.model.policy;

import static io.loam.model.Meshes.ip;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
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
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

final class PolicyTableTest {
    private static final List<String> NAMES = List.of("shop", "bank", "post");
    private static final List<String> ADDRESSES = List.of("10.0.0.1", "10.0.0.2", "10.0.1.1", "fd00::1", "fd00::2");
    private static final List<String> BLOCKS =
            List.of("10.0.0.0/24", "10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "fd00::1", "fd00::/64", "10.0.0.7/24");

    /// Finding policies by what they match must give the very policy that asking them one by one gives.
    @Property(tries = 300)
    void findsThePolicyThatAskingOneByOneFinds(@ForAll long seed) {
        var random = new Random(seed);
        var policies = IntStream.range(0, 10 + random.nextInt(40))
                .mapToObj(i -> CompiledPolicy.of(policy(i, random)))
                .toList();
        var table = PolicyTable.of(policies);
        for (int i = 0; i < 40; i++) {
            var connection = connection(random);
            var expected = policies.stream()
                    .filter(policy -> policy.firstMatchingRule(connection) >= 0)
                    .findFirst()
                    .orElse(null);
            assertThat(table.firstMatch(connection)).as("%s", connection).isSameAs(expected);
        }
    }

    /// A table that forgot to file would still answer right, only slowly: half a millisecond for 10,000 policies.
    @Test
    void filesWhatNamesItsCallersAndOnlyThat() {
        assertThat(Anchor.of(named(match(f -> f.principals = List.of(new Exact("td/ns/a/sa/b"))))))
                .containsExactly(new Anchor.Principal(new SpiffeId("td", "a", "b")));
        assertThat(Anchor.of(named(match(f -> f.accounts = List.of(new ServiceAccountMatch("a", "b"))))))
                .containsExactly(new Anchor.Account(new ServiceAccountMatch("a", "b")));
        assertThat(Anchor.of(named(match(f -> {
                    f.namespaces = List.of(new Exact("a"));
                    f.ports = Set.of(80);
                }))))
                .containsExactly(new Anchor.Namespace("a"));
        assertThat(Anchor.of(named(match(f -> f.principals = List.of(new Prefix("td/ns/a"))))))
                .isNull();
        assertThat(Anchor.of(named(match(f -> f.notNamespaces = List.of(new Exact("a"))))))
                .isNull();
        assertThat(Anchor.of(named(Match.NOTHING))).isEmpty();
    }

    /// Of clauses that must all hold, the one that tells connections apart best.
    @Test
    void filesByTheMostTellingClause() {
        var port = new Clause(List.of(match(f -> f.ports = Set.of(80))));
        var account = new Clause(List.of(match(f -> f.accounts = List.of(new ServiceAccountMatch("a", "b")))));
        var policy = new AuthorizationPolicy(
                "p", "shop", Scope.NAMESPACE, Action.ALLOW, List.of(new Rule(List.of(port, account))), false);

        assertThat(Anchor.of(policy)).containsExactly(new Anchor.Account(new ServiceAccountMatch("a", "b")));
    }

    @Test
    void findsWithoutAllocating() {
        var random = new Random(7);
        var table = PolicyTable.of(IntStream.range(0, 200)
                .mapToObj(i -> CompiledPolicy.of(policy(i, random)))
                .toList());
        var connections =
                IntStream.range(0, 64).mapToObj(_ -> connection(random)).toList();
        askManyTimes(table, connections);
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        int found = askManyTimes(table, connections);
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;

        assertThat(found).isPositive();
        assertThat(allocated).as("bytes for 100,000 decisions").isLessThan(4096);
    }

    private static int askManyTimes(PolicyTable table, List<ConnectionAttributes> connections) {
        int found = 0;
        for (int i = 0; i < 100_000; i++) {
            found += table.firstMatch(connections.get(i & 63)) == null ? 0 : 1;
        }
        return found;
    }

    private static ConnectionAttributes connection(Random random) {
        var peer = random.nextInt(4) == 0 ? null : new SpiffeId("td", pick(NAMES, random), pick(NAMES, random));
        return new ConnectionAttributes(
                peer, ip(pick(ADDRESSES, random)), ip(pick(ADDRESSES, random)), 80 + random.nextInt(3));
    }

    private static AuthorizationPolicy policy(int number, Random random) {
        var rules = new ArrayList<Rule>();
        for (int r = random.nextInt(3); r >= 0; r--) {
            var clauses = new ArrayList<Clause>();
            for (int c = random.nextInt(3); c >= 0; c--) {
                var matches = new ArrayList<Match>();
                for (int m = random.nextInt(8) == 0 ? -1 : random.nextInt(2); m >= 0; m--) {
                    matches.add(anyMatch(random));
                }
                clauses.add(new Clause(matches));
            }
            rules.add(new Rule(clauses));
        }
        return new AuthorizationPolicy("p" + number, "shop", Scope.NAMESPACE, Action.ALLOW, rules, false);
    }

    private static Match anyMatch(Random random) {
        return match(f -> {
            int kinds = random.nextInt(128);
            if ((kinds & 3) == 1) {
                f.principals = List.of(text("td/ns/" + pick(NAMES, random) + "/sa/" + pick(NAMES, random), random));
            }
            if ((kinds & 12) == 4) {
                f.accounts = List.of(new ServiceAccountMatch(pick(NAMES, random), pick(NAMES, random)));
            }
            if ((kinds & 12) == 8) {
                f.namespaces = List.of(text(random.nextInt(4) == 0 ? "" : pick(NAMES, random), random));
            }
            if ((kinds & 16) != 0) {
                f.sources = List.of(CidrBlock.parse(pick(BLOCKS, random)), CidrBlock.parse(pick(BLOCKS, random)));
            }
            if ((kinds & 32) != 0) {
                f.ports = Set.of(80 + random.nextInt(3));
            }
            if ((kinds & 96) == 64) {
                f.notNamespaces = List.of(text(pick(NAMES, random), random));
            }
        });
    }

    private static StringMatch text(String text, Random random) {
        return switch (random.nextInt(8)) {
            case 0 -> new Prefix(text.substring(0, text.length() / 2));
            case 1 -> new Presence();
            case 2 -> new Suffix(text.substring(text.length() / 2));
            default -> new Exact(text);
        };
    }

    private static <T> T pick(List<T> values, Random random) {
        return values.get(random.nextInt(values.size()));
    }

    private static AuthorizationPolicy named(Match match) {
        var rule = new Rule(List.of(new Clause(List.of(match))));
        return new AuthorizationPolicy("p", "shop", Scope.NAMESPACE, Action.ALLOW, List.of(rule), false);
    }

    private static Match match(Consumer<Fields> change) {
        var f = new Fields();
        change.accept(f);
        return new Match(
                f.namespaces,
                f.notNamespaces,
                f.principals,
                List.of(),
                f.accounts,
                List.of(),
                f.sources,
                List.of(),
                List.of(),
                List.of(),
                f.ports,
                Set.of());
    }

    private static final class Fields {
        List<StringMatch> namespaces = List.of();
        List<StringMatch> notNamespaces = List.of();
        List<StringMatch> principals = List.of();
        List<ServiceAccountMatch> accounts = List.of();
        List<CidrBlock> sources = List.of();
        Set<Integer> ports = Set.of();
    }
}
