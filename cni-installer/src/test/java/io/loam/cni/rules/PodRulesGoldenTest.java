package io.loam.cni.rules;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.address.CidrBlock;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The scripts, letter by letter: a change of them is a change for every pod, so it has to show in a review.
class PodRulesGoldenTest {
    private static final PodRules DEFAULT = new PodRules(false, false, List.of(), true);

    @ParameterizedTest
    @CsvSource({"default", "dns", "bypass", "reroute", "v4", "exclusions"})
    void enrolled(String variant) throws IOException {
        var rules = switch (variant) {
            case "dns" -> new PodRules(true, false, List.of(), true);
            case "bypass" -> new PodRules(false, true, List.of(), true);
            case "reroute" -> new PodRules(false, false, List.of("vnet0", "tap1"), true);
            case "exclusions" ->
                new PodRules(
                        true,
                        false,
                        List.of(),
                        true,
                        new CaptureExclusions(
                                List.of(443, 9092),
                                List.of(CidrBlock.parse("10.0.0.0/8"), CidrBlock.parse("2001:db8::/32")),
                                List.of(9100)));
            case "v4" -> new PodRules(false, false, List.of(), false);
            default -> DEFAULT;
        };

        assertThat(rules.enrolled()).isEqualTo(golden(variant));
    }

    @Test
    void leaving() throws IOException {
        assertThat(DEFAULT.leaving()).isEqualTo(golden("leaving"));
    }

    @Test
    void probes() throws IOException {
        var rules = new ProbeRules((_, _) -> "", 0);

        assertThat(rules.script()).isEqualTo(golden("probes"));
    }

    private static String golden(String name) throws IOException {
        try (var stream = PodRulesGoldenTest.class.getResourceAsStream(name + ".nft")) {
            return new String(Objects.requireNonNull(stream).readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
