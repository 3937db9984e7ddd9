package io.loam.model.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.policy.StringMatch.Exact;
import io.loam.model.policy.StringMatch.Prefix;
import io.loam.model.policy.StringMatch.Presence;
import io.loam.model.policy.StringMatch.Suffix;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Wire reference, 7.2: `x`, `x*`, `*x` and `*`.
final class StringMatchTest {
    static Stream<Arguments> cases() {
        return Stream.of(
                Arguments.of(new Exact("shop"), "shop", true),
                Arguments.of(new Exact("shop"), "shopper", false),
                Arguments.of(new Exact("shop"), "Shop", false),
                Arguments.of(new Exact("shop"), "", false),
                Arguments.of(new Exact(""), "", true),
                Arguments.of(new Prefix("sh"), "shop", true),
                Arguments.of(new Prefix("sh"), "sh", true),
                Arguments.of(new Prefix("sh"), "wash", false),
                Arguments.of(new Prefix("sh"), "", false),
                Arguments.of(new Prefix(""), "shop", true),
                Arguments.of(new Prefix(""), "", false),
                Arguments.of(new Suffix("op"), "shop", true),
                Arguments.of(new Suffix("op"), "op", true),
                Arguments.of(new Suffix("op"), "open", false),
                Arguments.of(new Suffix("op"), "", false),
                Arguments.of(new Suffix(""), "shop", true),
                Arguments.of(new Suffix(""), "", false),
                Arguments.of(new Presence(), "shop", true),
                Arguments.of(new Presence(), "", false),
                Arguments.of(new Prefix("s.*p"), "shop", false)); // hazards, rule 10: no pattern
    }

    @ParameterizedTest(name = "{0} on \"{1}\": {2}")
    @MethodSource("cases")
    void comparesStrings(StringMatch match, String value, boolean expected) {
        assertThat(match.matches(value)).isEqualTo(expected);
    }
}
