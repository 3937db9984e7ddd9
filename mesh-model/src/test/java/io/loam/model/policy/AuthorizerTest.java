package io.loam.model.policy;

import static io.loam.model.Meshes.ip;
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
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Wire reference, 7.2.
final class AuthorizerTest {
    private static final SpiffeId PEER = new SpiffeId("cluster.local", "shop", "cart");
    private static final ServiceAccountMatch ACCOUNT = new ServiceAccountMatch("shop", "cart");
    private static final ConnectionAttributes MESH =
            new ConnectionAttributes(PEER, ip("10.1.2.3"), ip("10.0.0.7"), 8080);
    private static final ConnectionAttributes PLAIN =
            new ConnectionAttributes(null, ip("10.1.2.3"), ip("10.0.0.7"), 8080);

    /// What a match says about the same connection with an identity and without one.
    static Stream<Arguments> matches() {
        return Stream.of(
                row("nothing at all", false, false, m -> {}),
                row("principal", true, false, m -> m.principals.add(new Exact("cluster.local/ns/shop/sa/cart"))),
                row("other principal", false, false, m -> m.principals.add(new Exact("cluster.local/ns/shop/sa/carp"))),
                row("shorter principal", false, false, m -> m.principals.add(new Exact("cluster.local/ns/shop"))),
                row("principal with scheme", false, false, m -> m.principals.add(new Exact(PEER.toString()))),
                row("empty principal", false, false, m -> m.principals.add(new Exact(""))),
                row("principal prefix", true, false, m -> m.principals.add(new Prefix("cluster.local/ns/sh"))),
                row("other principal prefix", false, false, m -> m.principals.add(new Prefix("cluster.local/ns/x"))),
                row("empty principal prefix", true, false, m -> m.principals.add(new Prefix(""))),
                row("principal suffix", true, false, m -> m.principals.add(new Suffix("op/sa/cart"))),
                row("other principal suffix", false, false, m -> m.principals.add(new Suffix("x/sa/cart"))),
                row("too long a suffix", false, false, m -> m.principals.add(new Suffix("x" + PEER.principal()))),
                row("any principal", true, false, m -> m.principals.add(new Presence())),
                row("values are ORed", true, false, m -> {
                    m.principals.add(new Exact("a"));
                    m.principals.add(new Prefix("cluster"));
                }),
                row("no mTLS", false, true, m -> m.notPrincipals.add(new Presence())),
                row("not another principal", true, true, m -> m.notPrincipals.add(new Exact("td/ns/a/sa/b"))),
                row("namespace", true, false, m -> m.namespaces.add(new Exact("shop"))),
                row("empty namespace", false, true, m -> m.namespaces.add(new Exact(""))),
                row("empty namespace prefix", true, false, m -> m.namespaces.add(new Prefix(""))),
                row("any namespace", true, false, m -> m.namespaces.add(new Presence())),
                row("namespace suffix", true, false, m -> m.namespaces.add(new Suffix("op"))),
                row("not namespace", false, true, m -> m.notNamespaces.add(new Exact("shop"))),
                row("account", true, false, m -> m.accounts.add(ACCOUNT)),
                row("account elsewhere", false, false, m -> m.accounts.add(new ServiceAccountMatch("bank", "cart"))),
                row("not account", false, true, m -> m.notAccounts.add(ACCOUNT)),
                row("source", true, true, m -> m.sources.add("10.1.0.0/16")),
                row("any IPv4 source", true, true, m -> m.sources.add("0.0.0.0/0")),
                row("any IPv6 source", false, false, m -> m.sources.add("::/0")),
                row("not source", false, false, m -> m.notSources.add("10.1.2.3")),
                row("not another source", true, true, m -> m.notSources.add("10.1.2.2/32")),
                row("destination", true, true, m -> m.destinations.add("10.0.0.7")),
                row("other destination", false, false, m -> m.destinations.add("10.0.0.8/30")),
                row("not destination", false, false, m -> m.notDestinations.add("10.0.0.0/29")),
                row("port", true, true, m -> m.ports.addAll(List.of(1, 8080))),
                row("other port", false, false, m -> m.ports.add(15008)),
                row("not port", false, false, m -> m.notPorts.add(8080)),
                row("not another port", true, true, m -> m.notPorts.add(80)),
                row("kinds are ANDed", false, false, m -> {
                    m.ports.add(8080);
                    m.namespaces.add(new Exact("bank"));
                }),
                row("positive and negative are ANDed", false, false, m -> {
                    m.namespaces.add(new Prefix("s"));
                    m.notNamespaces.add(new Exact("shop"));
                    m.sources.add("::/0");
                }));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("matches")
    void comparesFields(String name, boolean withIdentity, boolean withoutIdentity, Match match) {
        var policy = ApplicablePolicies.of(List.of(deny("p", clause(match))), List.of());
        assertThat(Authorizer.decide(policy, MESH).allows()).as(name).isEqualTo(!withIdentity);
        assertThat(Authorizer.decide(policy, PLAIN).allows()).as(name).isEqualTo(!withoutIdentity);
    }

    @Test
    void neverMatchesAPolicyWithoutRules() {
        assertThat(decide(policy("p", Action.ALLOW, false))).isEqualTo(new Verdict.NotMatched(1, List.of("shop/p")));
        assertThat(decide(policy("p", Action.DENY, false))).isEqualTo(new Verdict.Allowed(""));
    }

    @Test
    void matchesEverythingWithARuleWithoutClauses() {
        assertThat(decide(policy("p", Action.DENY, false, new Rule(List.of()))))
                .isEqualTo(new Verdict.Denied("shop/p", 0));
    }

    @Test
    void matchesEverythingWithAClauseWithoutMatches() {
        assertThat(decide(deny("p", anything()))).isEqualTo(new Verdict.Denied("shop/p", 0));
    }

    @Test
    void doesNotMakeAClauseTrueByAMatchWithoutFields() {
        assertThat(decide(deny("p", clause(Match.NOTHING)))).isEqualTo(new Verdict.Allowed(""));
        assertThat(decide(deny("p", clause(Match.NOTHING, port(8080))))).isEqualTo(new Verdict.Denied("shop/p", 0));
    }

    @Test
    void asksRulesOneByOneAndClausesTogether() {
        var yes = clause(port(8080));
        var no = clause(port(1));
        var rules = new Rule[] {new Rule(List.of(yes, no)), new Rule(List.of(no)), new Rule(List.of(yes, yes))};
        assertThat(decide(policy("p", Action.DENY, false, rules))).isEqualTo(new Verdict.Denied("shop/p", 2));
    }

    @Test
    void letsADenyWinOverAnAllow() {
        assertThat(decide(allow("a", anything()), deny("b", anything()))).isEqualTo(new Verdict.Denied("shop/b", 0));
    }

    @Test
    void allowsWhatAnyAllowPolicyMatches() {
        assertThat(decide(allow("a", clause(Match.NOTHING)), allow("b", anything())))
                .isEqualTo(new Verdict.Allowed("shop/b"));
        assertThat(decide(allow("a", clause(Match.NOTHING)), allow("b", clause(Match.NOTHING))))
                .isEqualTo(new Verdict.NotMatched(2, List.of("shop/a", "shop/b")));
    }

    @Test
    void allowsEveryoneWhereNothingApplies() {
        assertThat(Authorizer.decide(ApplicablePolicies.NONE, PLAIN)).isEqualTo(new Verdict.Allowed(""));
    }

    /// Hazards, rules 1 and 2: what is missing may be the DENY that forbids, or the only ALLOW.
    @Test
    void refusesUntilEveryPolicyThatIsNamedIsKnown() {
        var missing = List.of("shop/late", "shop/later");
        assertThat(Authorizer.decide(ApplicablePolicies.of(List.of(), missing), MESH))
                .isEqualTo(new Verdict.Undecided("shop/late"));
        assertThat(Authorizer.decide(ApplicablePolicies.of(List.of(allow("a", anything())), missing), MESH))
                .isEqualTo(new Verdict.Undecided("shop/late"));
        assertThat(new Verdict.Undecided("shop/late").allows()).isFalse();
    }

    @Test
    void tellsAKnownDenyWhateverIsMissing() {
        assertThat(Authorizer.decide(ApplicablePolicies.of(List.of(deny("d", anything())), List.of("shop/late")), MESH))
                .isEqualTo(new Verdict.Denied("shop/d", 0));
    }

    @Test
    void onlyReportsDryRun() {
        var dryDeny = policy("d", Action.DENY, true, new Rule(List.of()));
        var dryAllow = policy("a", Action.ALLOW, true, new Rule(List.of()));
        var dryAllowNothing = policy("n", Action.ALLOW, true);
        assertThat(decide(dryDeny, dryAllowNothing)).isEqualTo(new Verdict.Allowed(""));
        assertThat(findings(dryDeny, dryAllow))
                .containsExactly(new DryRunFinding.WouldDeny("shop/d", 0), new DryRunFinding.WouldAllow("shop/a", 0));
        assertThat(findings(dryAllowNothing)).containsExactly(new DryRunFinding.NoneWouldAllow(1));
    }

    @Test
    void enforcesRealPoliciesBesideDryRunOnes() {
        var dryAllow = policy("a", Action.ALLOW, true, new Rule(List.of()));
        assertThat(decide(dryAllow, allow("b", clause(Match.NOTHING))))
                .isEqualTo(new Verdict.NotMatched(1, List.of("shop/b")));
    }

    @Property
    void comparesBlocksAsTheirBytesSay(
            @ForAll boolean v6,
            @ForAll long bits,
            @ForAll @IntRange(max = 127) int flipped,
            @ForAll @IntRange(max = 128) int length) {
        int width = v6 ? 128 : 32;
        int bit = flipped % width;
        long high = v6 ? bits | (1L << 61) : bits << 32; // 2000::/3 and so no v4-mapped address
        long low = v6 ? bits : 0;
        var base = new IpBits(v6, high, low);
        var other = bit < 64
                ? new IpBits(v6, high ^ (Long.MIN_VALUE >>> bit), low)
                : new IpBits(v6, high, low ^ (Long.MIN_VALUE >>> (bit - 64)));
        var block = new CidrBlock(base.toInetAddress(), Math.min(length, width));
        var match = new Fields();
        match.sources.add(block.toString());
        var policy = deny("p", clause(match.build()));
        var connection = new ConnectionAttributes(null, other, base, 1);
        assertThat(policy.matches(0, connection))
                .isEqualTo(block.contains(other.toInetAddress()))
                .isEqualTo(bit >= block.prefixLength());
    }

    @Test
    void allocatesNothingToDecide() {
        var fields = new Fields();
        fields.namespaces.add(new Prefix("sh"));
        fields.principals.addAll(List.of(new Suffix("/sa/cart"), new Exact("cluster.local/ns/shop/sa/cart")));
        fields.sources.addAll(List.of("10.0.0.0/8", "fd00::/8"));
        fields.notDestinations.add("10.0.0.7/32");
        var clause = clause(fields.build());
        var policies = ApplicablePolicies.of(List.of(deny("d", clause), allow("a", clause)), List.of());
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        decideManyTimes(policies, 20_000);

        long before = threads.getCurrentThreadAllocatedBytes();
        int allowed = decideManyTimes(policies, 100_000);
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;

        assertThat(allowed).isZero();
        assertThat(allocated).as("bytes for 100,000 decisions").isLessThan(4096); // the measurement itself
    }

    private static int decideManyTimes(ApplicablePolicies policies, int times) {
        int allowed = 0;
        for (int i = 0; i < times; i++) {
            allowed += Authorizer.decide(policies, MESH).allows() ? 1 : 0;
        }
        return allowed;
    }

    private static Verdict decide(CompiledPolicy... policies) {
        return Authorizer.decide(ApplicablePolicies.of(List.of(policies), List.of()), MESH);
    }

    private static List<DryRunFinding> findings(CompiledPolicy... policies) {
        return Authorizer.dryRun(ApplicablePolicies.of(List.of(policies), List.of()), MESH);
    }

    private static Match port(int port) {
        var fields = new Fields();
        fields.ports.add(port);
        return fields.build();
    }

    private static Clause anything() {
        return new Clause(List.of());
    }

    private static Clause clause(Match... matches) {
        return new Clause(List.of(matches));
    }

    private static CompiledPolicy deny(String name, Clause... clauses) {
        return policy(name, Action.DENY, false, new Rule(List.of(clauses)));
    }

    private static CompiledPolicy allow(String name, Clause... clauses) {
        return policy(name, Action.ALLOW, false, new Rule(List.of(clauses)));
    }

    private static CompiledPolicy policy(String name, Action action, boolean dryRun, Rule... rules) {
        return CompiledPolicy.of(
                new AuthorizationPolicy(name, "shop", Scope.NAMESPACE, action, List.of(rules), dryRun));
    }

    private static Arguments row(String name, boolean withIdentity, boolean withoutIdentity, Consumer<Fields> change) {
        var fields = new Fields();
        change.accept(fields);
        return Arguments.of(name, withIdentity, withoutIdentity, fields.build());
    }

    /// A match in the making.
    private static final class Fields {
        final List<StringMatch> namespaces = new ArrayList<>();
        final List<StringMatch> notNamespaces = new ArrayList<>();
        final List<StringMatch> principals = new ArrayList<>();
        final List<StringMatch> notPrincipals = new ArrayList<>();
        final List<ServiceAccountMatch> accounts = new ArrayList<>();
        final List<ServiceAccountMatch> notAccounts = new ArrayList<>();
        final List<String> sources = new ArrayList<>();
        final List<String> notSources = new ArrayList<>();
        final List<String> destinations = new ArrayList<>();
        final List<String> notDestinations = new ArrayList<>();
        final Set<Integer> ports = new TreeSet<>();
        final Set<Integer> notPorts = new TreeSet<>();

        Match build() {
            return new Match(
                    namespaces,
                    notNamespaces,
                    principals,
                    notPrincipals,
                    accounts,
                    notAccounts,
                    blocks(sources),
                    blocks(notSources),
                    blocks(destinations),
                    blocks(notDestinations),
                    ports,
                    notPorts);
        }

        private static List<CidrBlock> blocks(List<String> texts) {
            return texts.stream().map(CidrBlock::parse).toList();
        }
    }
}
