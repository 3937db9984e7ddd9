package io.loam.model.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.IpBits;
import io.loam.model.address.MaskedBlock;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch.Exact;
import io.loam.model.policy.StringMatch.Prefix;
import io.loam.model.policy.StringMatch.Suffix;
import java.net.InetAddress;
import java.util.function.IntFunction;
import java.util.function.IntUnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// A rule that is filed where nobody looks is never asked; hashes that do not spread make finding slow, which no
/// verdict
/// would show.
final class RuleIndexTest {
    private static final int VALUES = 1024;

    /// Each kind of anchor with a thousand values that differ as little as real ones do.
    static Stream<Arguments> kinds() {
        return Stream.of(
                kind("accounts of principals", i -> new Anchor.Principal(new SpiffeId("td", "shop", "w" + i))),
                kind("namespaces of principals", i -> new Anchor.Principal(new SpiffeId("td", "n" + i, "cart"))),
                kind("trust domains", i -> new Anchor.Principal(new SpiffeId("t" + i, "shop", "cart"))),
                kind("accounts", i -> new Anchor.Account(new ServiceAccountMatch("shop", "w" + i))),
                kind("namespaces of accounts", i -> new Anchor.Account(new ServiceAccountMatch("n" + i, "cart"))),
                kind("namespaces", i -> new Anchor.Namespace(new Exact("n" + i))),
                kind("beginnings", i -> new Anchor.Namespace(new Prefix("n" + i))),
                kind("ends", i -> new Anchor.Namespace(new Suffix(i + "n"))),
                kind("account names", i -> new Anchor.AccountName(new Exact("w" + i))),
                kind("ends of accounts", i -> new Anchor.AccountName(new Suffix(i + "w"))),
                kind("ports", Anchor.Port::new),
                kind("IPv4 sources", i -> new Anchor.Source(ipv4(i))),
                kind("IPv4 destinations", i -> new Anchor.Destination(ipv4(i))),
                kind("IPv6 sources", i -> new Anchor.Source(ipv6(i))),
                kind("IPv6 networks", i -> new Anchor.Destination(CidrBlock.parse("fd00:%x::/32".formatted(i)))));
    }

    private static CidrBlock ipv4(int i) {
        return CidrBlock.parse("10.244.%d.%d/32".formatted(i >> 8, i & 0xff));
    }

    private static CidrBlock ipv6(int i) {
        return CidrBlock.parse("fd00:244::%x/128".formatted(i));
    }

    private static Arguments kind(String name, IntFunction<Anchor> anchor) {
        return Arguments.of(name, anchor);
    }

    /// What is looked at: all bits at once, the first ones (drawers of an index) and the last ones (drawers of counts).
    /// 1024 balls in 1024 drawers leave 647 with at least one, give or take 30.
    @ParameterizedTest(name = "{0}")
    @MethodSource("kinds")
    void hashesSpread(String name, IntFunction<Anchor> anchor) {
        assertThat(drawers(anchor, hash -> hash)).as("of %d %s", VALUES, name).isGreaterThan(VALUES - 3);
        assertThat(drawers(anchor, hash -> hash >>> 21)).as("first bits").isGreaterThan(590);
        assertThat(drawers(anchor, hash -> hash & (VALUES - 1))).as("last bits").isGreaterThan(590);
        assertThat(IntStream.range(0, VALUES).map(i -> RuleIndex.of(anchor.apply(i))))
                .as("31 bits")
                .allMatch(hash -> hash >= 0);
    }

    private static int drawers(IntFunction<Anchor> anchor, IntUnaryOperator of) {
        return (int) IntStream.range(0, VALUES)
                .map(i -> of.applyAsInt(RuleIndex.of(anchor.apply(i))))
                .distinct()
                .count();
    }

    /// Values of one kind must not hide behind those of another.
    @Test
    void oneTextIsAnotherHashInEachKind() {
        var hashes = Stream.of(
                        new Anchor.Namespace(new Exact("b")),
                        new Anchor.Namespace(new Prefix("b")),
                        new Anchor.Namespace(new Suffix("b")),
                        new Anchor.AccountName(new Exact("b")),
                        new Anchor.AccountName(new Suffix("b")),
                        new Anchor.Port('b'))
                .map(RuleIndex::of)
                .collect(Collectors.toSet());

        assertThat(hashes).hasSize(6);
    }

    @Test
    void aConnectionIsLookedUpWhereItsRulesAreFiled() throws Exception {
        var peer = new SpiffeId("td", "shop", "cart");
        var address = IpBits.of(InetAddress.ofLiteral("10.1.2.3"));

        assertThat(RuleIndex.ofPrincipal(peer)).isEqualTo(RuleIndex.of(new Anchor.Principal(peer)));
        assertThat(RuleIndex.ofAccount("shop", "cart"))
                .isEqualTo(RuleIndex.of(new Anchor.Account(new ServiceAccountMatch("shop", "cart"))));
        assertThat(RuleIndex.ofNamespace("shop")).isEqualTo(RuleIndex.of(new Anchor.Namespace(new Exact("shop"))));
        assertThat(RuleIndex.ofNamespacePrefix(grown("sh")))
                .isEqualTo(RuleIndex.of(new Anchor.Namespace(new Prefix("sh"))));
        assertThat(RuleIndex.ofNamespaceSuffix(grown("po")))
                .isEqualTo(RuleIndex.of(new Anchor.Namespace(new Suffix("op"))));
        assertThat(RuleIndex.ofAccountName("cart")).isEqualTo(RuleIndex.of(new Anchor.AccountName(new Exact("cart"))));
        assertThat(RuleIndex.ofAccountSuffix(grown("tr")))
                .isEqualTo(RuleIndex.of(new Anchor.AccountName(new Suffix("rt"))));
        assertThat(RuleIndex.ofPort(80)).isEqualTo(RuleIndex.of(new Anchor.Port(80)));
        assertThat(RuleIndex.ofSource(address.high(), address.low()))
                .isEqualTo(RuleIndex.of(new Anchor.Source(CidrBlock.parse("10.1.2.3/32"))));
        assertThat(RuleIndex.ofDestination(address.high(), address.low()))
                .isEqualTo(RuleIndex.of(new Anchor.Destination(CidrBlock.parse("10.1.2.3/32"))));
    }

    private static int grown(String characters) {
        int hash = 0;
        for (int i = 0; i < characters.length(); i++) {
            hash = RuleIndex.grown(hash, characters.charAt(i));
        }
        return hash;
    }

    @Test
    void onlyLengthsThatAreFiledAreLookedUp() {
        var filed = new RuleIndex.Builder();
        filed.file(new Anchor.Namespace(new Prefix("sh")), 0);
        filed.file(new Anchor.Namespace(new Suffix("hop")), 1);
        filed.file(new Anchor.AccountName(new Suffix("t")), 2);
        filed.file(new Anchor.Source(CidrBlock.parse("10.0.0.0/8")), 3);
        filed.file(new Anchor.Source(CidrBlock.parse("11.0.0.0/8")), 4);
        filed.file(new Anchor.Destination(CidrBlock.parse("fd00::/16")), 5);
        var index = filed.build();

        assertThat(index.namespacePrefixes()).containsExactly(false, false, true);
        assertThat(index.namespaceSuffixes()).containsExactly(false, false, false, true);
        assertThat(index.accountSuffixes()).containsExactly(false, true);
        assertThat(index.sourceLengths()).containsExactly(new MaskedBlock(false, 0, 0, 0xff00000000000000L, 0));
        assertThat(index.destinationLengths()).containsExactly(new MaskedBlock(true, 0, 0, 0xffff000000000000L, 0));
    }

    @Test
    void findsTheRulesOfAnAnchorInTheirOrder() {
        var filed = new RuleIndex.Builder();
        for (int position = 99; position >= 0; position--) {
            filed.file(new Anchor.Port(position % 10), position);
        }
        filed.file(new Anchor.Port(3), 13); // two spellings of one thing
        var index = filed.build();
        int hash = RuleIndex.ofPort(3);

        int at = index.seek(hash, 14);
        assertThat(IntStream.range(at, at + 9).map(i -> index.positionAt(i, hash)))
                .containsExactly(23, 33, 43, 53, 63, 73, 83, 93, Integer.MAX_VALUE);
        assertThat(index.positionAt(index.seek(hash, 13), hash)).isEqualTo(13);
        assertThat(index.positionAt(index.seek(hash, 0), hash)).isEqualTo(3);
        assertThat(index.positionAt(index.seek(RuleIndex.ofPort(11), 0), RuleIndex.ofPort(11)))
                .isEqualTo(Integer.MAX_VALUE);
        assertThat(index.seek(hash, 94)).isEqualTo(index.seek(hash, 1000));
    }
}
