package io.loam.model.policy;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.IpBits;
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
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// That rules are found by what they match; what they decide is compared in {@link AuthorizerPropertyTest}. A table
/// that forgot to file would still answer right, only slowly: half a millisecond for 10,000 policies.
final class PolicyTableTest {
    static Stream<Arguments> anchors() {
        return Stream.of(
                row("exact principal", m -> m.principals(new Exact("td/ns/a/sa/b")), principal("a", "b")),
                row(
                        "several principals",
                        m -> m.principals(new Exact("td/ns/a/sa/b"), new Exact("td/ns/c/sa/d")),
                        principal("a", "b"),
                        principal("c", "d")),
                row("no identity at all", m -> m.principals(new Exact("b"))),
                row("principals of a namespace", m -> m.principals(new Prefix("td/ns/a/")), namespace(new Exact("a"))),
                row(
                        "accounts that begin alike",
                        m -> m.principals(new Prefix("td/ns/a/sa/b")),
                        namespace(new Exact("a"))),
                row(
                        "namespaces that begin alike",
                        m -> m.principals(new Prefix("td/ns/a")),
                        namespace(new Prefix("a"))),
                always("everybody of a trust domain", m -> m.principals(new Prefix("td/ns/"))),
                always("trust domains that begin alike", m -> m.principals(new Prefix("td"))),
                always("no principal begins so", m -> m.principals(new Prefix("td/x/"))),
                row("account anywhere", m -> m.principals(new Suffix("/sa/b")), accountName(new Exact("b"))),
                row("account anywhere, cut off", m -> m.principals(new Suffix("a/b")), accountName(new Exact("b"))),
                row("account anywhere, only a slash", m -> m.principals(new Suffix("/b")), accountName(new Exact("b"))),
                row("accounts that end alike", m -> m.principals(new Suffix("b")), accountName(new Suffix("b"))),
                row("account in namespace", m -> m.principals(new Suffix("/a/sa/b")), account("a", "b")),
                row("account in namespace, more", m -> m.principals(new Suffix("ns/a/sa/b")), account("a", "b")),
                row("account in a cut namespace", m -> m.principals(new Suffix("a/sa/b")), accountName(new Exact("b"))),
                always("everything as a suffix", m -> m.principals(new Suffix(""))),
                always("any principal", m -> m.principals(new Presence())),
                always("one or any", m -> m.principals(new Exact("td/ns/a/sa/b"), new Presence())),
                row("accounts", m -> m.accounts(new ServiceAccountMatch("a", "b")), account("a", "b")),
                row("namespace", m -> m.namespaces(new Exact("a")), namespace(new Exact("a"))),
                row("no namespace", m -> m.namespaces(new Exact("")), namespace(new Exact(""))),
                row("namespace by beginning", m -> m.namespaces(new Prefix("a")), namespace(new Prefix("a"))),
                row("namespace by end", m -> m.namespaces(new Suffix("a")), namespace(new Suffix("a"))),
                always("any namespace", m -> m.namespaces(new Presence())),
                always("any namespace as a prefix", m -> m.namespaces(new Prefix(""))),
                always("any namespace as a suffix", m -> m.namespaces(new Suffix(""))),
                row("source", m -> m.sources("10.0.0.0/8"), new Anchor.Source(CidrBlock.parse("10.0.0.0/8"))),
                row(
                        "destination",
                        m -> m.destinations("10.0.0.0/8"),
                        new Anchor.Destination(CidrBlock.parse("10.0.0.0/8"))),
                row("port", m -> m.ports(80, 81), new Anchor.Port(80), new Anchor.Port(81)),
                always("a negation", m -> m.notNamespaces(new Exact("a"))),
                row("nothing", m -> {}),
                row(
                        "all kinds",
                        m -> m.principals(new Exact("td/ns/a/sa/b"))
                                .accounts(new ServiceAccountMatch("c", "d"))
                                .namespaces(new Exact("e"))
                                .sources("10.0.0.1")
                                .destinations("10.0.0.2")
                                .ports(80),
                        principal("a", "b")),
                row(
                        "account before namespace",
                        m -> m.accounts(new ServiceAccountMatch("c", "d")).namespaces(new Exact("e")),
                        account("c", "d")),
                row(
                        "account's name before namespace",
                        m -> m.principals(new Suffix("/b")).namespaces(new Exact("e")),
                        accountName(new Exact("b"))),
                row(
                        "namespace before source",
                        m -> m.namespaces(new Exact("e")).sources("10.0.0.1"),
                        namespace(new Exact("e"))),
                row(
                        "source before port",
                        m -> m.ports(80).sources("10.0.0.1"),
                        new Anchor.Source(CidrBlock.parse("10.0.0.1"))),
                row("port before destination", m -> m.ports(80).destinations("10.0.0.1"), new Anchor.Port(80)));
    }

    /// @param anchors null where the rule has to be asked about each connection
    @ParameterizedTest(name = "{0}")
    @MethodSource("anchors")
    void filesARuleByWhatAConnectionMustHave(String name, Match match, @Nullable Set<Anchor> anchors) {
        assertThat(Anchor.of(rule(match), _ -> 1)).as(name).isEqualTo(anchors);
    }

    /// Of clauses that must all hold, the one that tells connections apart best; of matches that may, all.
    @Test
    void filesByTheMostTellingClause() {
        var port = new Clause(List.of(new Fields().ports(80).build()));
        var account = new Clause(List.of(
                new Fields().accounts(new ServiceAccountMatch("a", "b")).build(),
                Match.NOTHING,
                new Fields().principals(new Exact("td/ns/c/sa/d")).build()));
        var anybody = new Clause(List.of());
        var notOne = new Clause(List.of(
                new Fields().ports(80).build(),
                new Fields().notNamespaces(new Exact("a")).build()));

        assertThat(Anchor.of(new Rule(List.of(anybody, port, account, notOne)), _ -> 1))
                .containsExactly(account("a", "b"), principal("c", "d"));
        assertThat(Anchor.of(new Rule(List.of(anybody, notOne)), _ -> 1)).isNull();
        assertThat(Anchor.of(new Rule(List.of()), _ -> 1)).isNull();
    }

    /// Where all rules name one namespace, its drawer would hold them all: the port is what tells them apart.
    @Test
    void filesByWhatFewOtherRulesHave() {
        var match = new Fields().namespaces(new Exact("a")).ports(80).build();
        Map<Anchor, Integer> frequency = Map.of(namespace(new Exact("a")), 1000, new Anchor.Port(80), 2);

        assertThat(Anchor.of(rule(match), frequency::get)).containsExactly(new Anchor.Port(80));
        assertThat(Anchor.candidates(rule(match))).isEqualTo(frequency.keySet());
    }

    /// 1 to 30 rules each way: the last of a drawer, the first behind a policy, nothing behind the end.
    @Test
    void findsEachPolicyOnceFromTheFirstToTheLast() {
        for (int size = 0; size < 30; size++) {
            var policies = IntStream.range(0, size)
                    .mapToObj(i -> policy(
                            i,
                            rule(Match.NOTHING),
                            rule(new Fields().ports(80).build()),
                            rule(new Fields().namespaces(new Prefix("sh")).build())))
                    .toList();
            var table = PolicyTable.of(policies);
            var found = new ArrayList<String>();
            for (int at = table.firstMatch(connection("shop", 80), 0);
                    at >= 0;
                    at = table.firstMatch(connection("shop", 80), table.behindPolicyAt(at))) {
                found.add(table.policyAt(at).key() + " " + table.ruleAt(at));
            }

            assertThat(found)
                    .isEqualTo(
                            policies.stream().map(policy -> policy.key() + " 1").toList());
            assertThat(table.size()).isEqualTo(size);
            assertThat(table.inOrder()).isEqualTo(policies);
            assertThat(table.firstMatch(connection("bank", 81), 0)).isEqualTo(-1);
        }
    }

    @Test
    void findsWithoutAllocating() {
        var random = new RandomPolicies(7);
        var table = PolicyTable.of(IntStream.range(0, 200)
                .mapToObj(i -> CompiledPolicy.of(random.policy(i)))
                .toList());
        var connections =
                IntStream.range(0, 64).mapToObj(_ -> random.connection()).toList();
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
            found += table.firstMatch(connections.get(i & 63), i & 31) < 0 ? 0 : 1;
        }
        return found;
    }

    private static ConnectionAttributes connection(String namespace, int port) {
        var address = new IpBits(false, 0, 0);
        return new ConnectionAttributes(new SpiffeId("td", namespace, "a"), address, address, port);
    }

    private static CompiledPolicy policy(int number, Rule... rules) {
        return CompiledPolicy.of(
                new AuthorizationPolicy("p" + number, "shop", Scope.NAMESPACE, Action.ALLOW, List.of(rules), false));
    }

    private static Rule rule(Match match) {
        return new Rule(List.of(new Clause(List.of(match))));
    }

    private static Arguments row(String name, Consumer<Fields> change, Anchor... anchors) {
        var fields = new Fields();
        change.accept(fields);
        return Arguments.of(name, fields.build(), Set.of(anchors));
    }

    private static Arguments always(String name, Consumer<Fields> change) {
        var fields = new Fields();
        change.accept(fields);
        return Arguments.of(name, fields.build(), null);
    }

    private static Anchor principal(String namespace, String account) {
        return new Anchor.Principal(new SpiffeId("td", namespace, account));
    }

    private static Anchor account(String namespace, String account) {
        return new Anchor.Account(new ServiceAccountMatch(namespace, account));
    }

    private static Anchor accountName(StringMatch name) {
        return new Anchor.AccountName(name);
    }

    private static Anchor namespace(StringMatch name) {
        return new Anchor.Namespace(name);
    }

    private static final class Fields {
        private List<StringMatch> namespaces = List.of();
        private List<StringMatch> notNamespaces = List.of();
        private List<StringMatch> principals = List.of();
        private List<ServiceAccountMatch> accounts = List.of();
        private List<CidrBlock> sources = List.of();
        private List<CidrBlock> destinations = List.of();
        private Set<Integer> ports = Set.of();

        Fields namespaces(StringMatch... values) {
            namespaces = List.of(values);
            return this;
        }

        Fields notNamespaces(StringMatch... values) {
            notNamespaces = List.of(values);
            return this;
        }

        Fields principals(StringMatch... values) {
            principals = List.of(values);
            return this;
        }

        Fields accounts(ServiceAccountMatch... values) {
            accounts = List.of(values);
            return this;
        }

        Fields sources(String... values) {
            sources = Stream.of(values).map(CidrBlock::parse).toList();
            return this;
        }

        Fields destinations(String... values) {
            destinations = Stream.of(values).map(CidrBlock::parse).toList();
            return this;
        }

        Fields ports(Integer... values) {
            ports = Set.of(values);
            return this;
        }

        Match build() {
            return new Match(
                    namespaces,
                    notNamespaces,
                    principals,
                    List.of(),
                    accounts,
                    List.of(),
                    sources,
                    List.of(),
                    destinations,
                    List.of(),
                    ports,
                    Set.of());
        }
    }
}
