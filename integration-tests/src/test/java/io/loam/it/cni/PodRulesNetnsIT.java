package io.loam.it.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.cni.command.CommandException;
import io.loam.cni.command.Commands;
import io.loam.cni.rules.PodRedirection;
import io.loam.cni.rules.PodRules;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Hazard C6: rules are there completely or not at all.
class PodRulesNetnsIT {
    private static final PodRules RULES = new PodRules(false, false, List.of(), true);

    @ParameterizedTest
    @CsvSource({"default", "dns", "bypass", "reroute", "v4"})
    void theKernelHoldsTheGoldenRuleSet(String variant) throws Exception {
        try (var bench = new PodBench()) {
            new PodRedirection(bench.insidePod()).apply(rules(variant));

            assertThat(bench.podRuleset()).isEqualTo(golden(variant));
        }
    }

    @Test
    void appliedTwiceIsAppliedOnce() throws Exception {
        try (var bench = new PodBench()) {
            var redirection = new PodRedirection(bench.insidePod());
            redirection.apply(RULES);
            var once = bench.podState();

            redirection.apply(RULES);

            assertThat(bench.podState()).isEqualTo(once).contains("fwmark 0x111/0xfff lookup 100");
        }
    }

    @Test
    void removalLeavesNothing() throws Exception {
        try (var bench = new PodBench()) {
            var before = bench.podState();
            var redirection = new PodRedirection(bench.insidePod());
            redirection.apply(rules("dns"));
            redirection.leave(RULES);
            assertThat(bench.podRuleset()).isEqualTo(golden("leaving"));

            redirection.remove(true);
            redirection.remove(true); // nothing there is no error

            assertThat(bench.podState()).isEqualTo(before);
        }
    }

    @Test
    void replacesWhatAPredecessorLeft() throws Exception {
        try (var bench = new PodBench()) {
            new PodRedirection(bench.insidePod()).apply(rules("dns"));

            new PodRedirection(bench.insidePod()).apply(RULES);

            assertThat(bench.podRuleset()).isEqualTo(golden("default"));
        }
    }

    /// Two routes, two policy rules, one transaction.
    @ParameterizedTest
    @CsvSource({"1", "2", "3", "4", "5"})
    void aFaultAtAnyStepLeavesWhatWasThere(int step) throws Exception {
        try (var bench = new PodBench()) {
            var before = bench.podState();

            assertThatThrownBy(() -> new PodRedirection(faultAt(step, bench.insidePod())).apply(RULES))
                    .isInstanceOf(CommandException.class)
                    .hasMessageContaining("injected");

            assertThat(bench.podState()).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @CsvSource({"1", "2", "3", "4", "5"})
    void aFaultWhileRepeatingKeepsTheRulesInForce(int step) throws Exception {
        try (var bench = new PodBench()) {
            new PodRedirection(bench.insidePod()).apply(RULES);
            var before = bench.podState();

            assertThatThrownBy(() -> new PodRedirection(faultAt(step, bench.insidePod())).apply(rules("bypass")))
                    .isInstanceOf(CommandException.class);

            assertThat(bench.podState()).isEqualTo(before);
        }
    }

    private static Commands faultAt(int step, Commands real) {
        var count = new int[1];
        return (arguments, input) -> {
            if (++count[0] == step) {
                throw new CommandException(arguments, "injected fault", "");
            }
            return real.run(arguments, input);
        };
    }

    private static PodRules rules(String variant) {
        return switch (variant) {
            case "default" -> RULES;
            case "dns" -> new PodRules(true, false, List.of(), true);
            case "bypass" -> new PodRules(false, true, List.of(), true);
            case "reroute" -> new PodRules(false, false, List.of("vnet0", "tap1"), true);
            case "v4" -> new PodRules(false, false, List.of(), false);
            default -> throw new IllegalArgumentException(variant);
        };
    }

    private static String golden(String variant) throws IOException {
        try (var stream = PodRulesNetnsIT.class.getResourceAsStream(variant + ".ruleset")) {
            return new String(Objects.requireNonNull(stream).readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
