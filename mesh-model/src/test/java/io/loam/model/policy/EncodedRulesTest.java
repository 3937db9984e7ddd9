package io.loam.model.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.address.CidrBlock;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch.Exact;
import io.loam.model.policy.StringMatch.Prefix;
import io.loam.model.policy.StringMatch.Presence;
import io.loam.model.policy.StringMatch.Suffix;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// That nothing of a rule is lost in its bytes, and where one part ends and the next begins.
final class EncodedRulesTest {
    private static final Match ALL_FIELDS = new Match(
            List.of(new Exact("a"), new Prefix("b"), new Suffix("c"), new Presence()),
            List.of(new Exact("")),
            List.of(new Exact("td/ns/a/sa/b"), new Presence()),
            List.of(new Suffix("d"), new Exact("e")),
            List.of(new ServiceAccountMatch("f", "g"), new ServiceAccountMatch("", "h")),
            List.of(new ServiceAccountMatch("i", "")),
            List.of(CidrBlock.parse("10.0.0.1/8"), CidrBlock.parse("fd00::1/127")),
            List.of(CidrBlock.parse("0.0.0.0/0"), CidrBlock.parse("::1")),
            List.of(CidrBlock.parse("255.255.255.255")),
            List.of(CidrBlock.parse("::/0")),
            Set.of(1, 127, 128, 16_383, 16_384, 65_535),
            Set.of(0));

    @Test
    void givesBackTheRulesOfAnyShape() {
        var everything = new Clause(List.of());
        var rules = List.of(
                new Rule(List.of()),
                new Rule(List.of(everything)),
                new Rule(List.of(new Clause(List.of(Match.NOTHING)))),
                new Rule(List.of(
                        new Clause(List.of(ALL_FIELDS, Match.NOTHING, ALL_FIELDS)),
                        everything,
                        new Clause(List.of(ALL_FIELDS)))));

        assertThat(EncodedRules.of(rules).decoded()).isEqualTo(rules);
        assertThat(EncodedRules.of(List.of()).decoded()).isEmpty();
        for (int seed = 0; seed < 200; seed++) {
            var policy = new RandomPolicies(seed).policy(seed);
            assertThat(CompiledPolicy.of(policy).source()).isEqualTo(policy);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000})
    void longTextsAndLongListsKeepTheirEnds(int size) {
        var longName = new Exact("x".repeat(size));
        var names = IntStream.range(0, size / 8)
                .mapToObj(i -> (StringMatch) new Exact("n" + i))
                .toList();
        var inOneText = rule(namespaces(longName, new Exact("shop")));
        var inAList = rule(namespaces(names, new Exact("shop")));
        var encoded = EncodedRules.of(List.of(inOneText, inAList));

        assertThat(encoded.decoded()).containsExactly(inOneText, inAList);
        for (int rule = 0; rule < 2; rule++) {
            assertThat(encoded.matches(rule, from("shop"))).isTrue();
            assertThat(encoded.matches(rule, from("bank"))).isFalse();
        }
    }

    /// In one byte each some of these would be the letters of a name.
    @ParameterizedTest
    @ValueSource(
            strings = {"šhop", "shopš", "s\u0168op", "\u3048hop", "\ud83d\ude00", "\ud800", "\u0000", "\u007f", "\u0080"
            })
    void textsThatAreNoNamesAreKeptAndMatchNobody(String text) {
        for (var name : List.<StringMatch>of(new Exact(text), new Prefix(text), new Suffix(text))) {
            var rule = rule(namespaces(name));
            var encoded = EncodedRules.of(List.of(rule));

            assertThat(encoded.decoded()).containsExactly(rule);
            assertThat(encoded.matches(0, from("shop"))).isFalse();
        }
    }

    @Test
    void equalRulesHaveEqualBytes() {
        var one = EncodedRules.of(List.of(rule(ALL_FIELDS)));

        assertThat(one.sameAs(EncodedRules.of(List.of(rule(ALL_FIELDS))))).isTrue();
        assertThat(one.sameAs(EncodedRules.of(List.of(rule(ALL_FIELDS), new Rule(List.of())))))
                .isFalse();
        assertThat(one.sameAs(EncodedRules.of(List.of(rule(Match.NOTHING))))).isFalse();
    }

    @ParameterizedTest(name = "{0} in {1}: {2}")
    @CsvSource({
        "10.0.0.1, 10.0.0.1, true",
        "10.0.0.2, 10.0.0.1, false",
        "10.0.0.254, 10.0.0.255/31, true",
        "10.0.0.253, 10.0.0.255/31, false",
        "10.255.0.1, 10.0.0.0/8, true",
        "11.0.0.1, 10.0.0.0/8, false",
        "11.255.0.1, 10.0.0.0/7, true",
        "12.0.0.1, 10.0.0.0/7, false",
        "10.0.127.255, 10.0.0.0/17, true",
        "10.0.128.0, 10.0.0.0/17, false",
        "127.1.2.3, 0.0.0.0/1, true",
        "128.1.2.3, 0.0.0.0/1, false",
        "255.255.255.255, 0.0.0.0/0, true",
        "::1, 0.0.0.0/0, false",
        "10.0.0.1, ::/0, false",
        "::ffff:ffff, ::/0, true",
        "fd00::1, fd00::/64, true",
        "fd00:0:0:1::1, fd00::/64, false",
        "fd00:0:0:1::1, fd00::/63, true",
        "fd00:0:0:2::1, fd00::/63, false",
        "fd00::7fff:0:0:1, fd00::/65, true",
        "fd00::8000:0:0:1, fd00::/65, false",
        "fd00::2, fd00::3/127, true",
        "fd00::1, fd00::3/127, false",
        "fd00::1, fd00::1, true",
        "fd00::3, fd00::1, false",
        "a00:1::, 10.0.0.1, false",
    })
    void comparesTheBitsOfTheBlock(String address, String block, boolean inside) {
        var other = CidrBlock.parse("203.0.113.0/24");
        var sources = new Match(
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(other, CidrBlock.parse(block)),
                List.of(),
                List.of(),
                List.of(),
                Set.of(),
                Set.of());
        var destinations = new Match(
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(CidrBlock.parse(block), other),
                List.of(),
                Set.of(),
                Set.of());
        var encoded = EncodedRules.of(List.of(rule(sources), rule(destinations)));
        var asked = InetAddress.ofLiteral(address);
        var elsewhere = InetAddress.ofLiteral("192.0.2.1");

        assertThat(encoded.matches(0, new ConnectionAttributes(null, asked, elsewhere, 80)))
                .isEqualTo(inside);
        assertThat(encoded.matches(1, new ConnectionAttributes(null, elsewhere, asked, 80)))
                .isEqualTo(inside);
    }

    @ParameterizedTest
    @CsvSource({
        "shop, cart, true",
        "shop, cars, false",
        "shop, car, false",
        "shop, carts, false",
        "shot, cart, false",
        "sho, pcart, false",
        "shopc, art, false",
        "bank, teller, true",
        "cart, shop, false",
    })
    void comparesBothNamesOfAnAccount(String namespace, String account, boolean matches) {
        var accounts = new Match(
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(new ServiceAccountMatch("shop", "cart"), new ServiceAccountMatch("bank", "teller")),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                Set.of(),
                Set.of());

        assertThat(EncodedRules.of(List.of(rule(accounts))).matches(0, from(new SpiffeId("td", namespace, account))))
                .isEqualTo(matches);
    }

    @Test
    void findsEachPortOfAList() {
        var ports = List.of(1, 127, 128, 16_383, 16_384, 65_535);
        var match = new Match(
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                Set.copyOf(ports),
                Set.of());
        var encoded = EncodedRules.of(List.of(rule(match)));
        var address = from("a").source();

        for (int port : ports) {
            assertThat(encoded.matches(0, new ConnectionAttributes(null, address, address, port)))
                    .as("port %d", port)
                    .isTrue();
            assertThat(encoded.matches(0, new ConnectionAttributes(null, address, address, port - 1)))
                    .as("port %d", port - 1)
                    .isEqualTo(ports.contains(port - 1));
        }
    }

    private static ConnectionAttributes from(String namespace) {
        return from(new SpiffeId("td", namespace, "a"));
    }

    private static ConnectionAttributes from(SpiffeId peer) {
        var address = InetAddress.ofLiteral("192.0.2.1");
        return new ConnectionAttributes(peer, address, address, 80);
    }

    private static Rule rule(Match match) {
        return new Rule(List.of(new Clause(List.of(match))));
    }

    private static Match namespaces(StringMatch... names) {
        return namespaces(List.of(), names);
    }

    private static Match namespaces(List<StringMatch> first, StringMatch... others) {
        var names = new ArrayList<>(first);
        names.addAll(List.of(others));
        return new Match(
                names, List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(),
                List.of(), Set.of(), Set.of());
    }
}
