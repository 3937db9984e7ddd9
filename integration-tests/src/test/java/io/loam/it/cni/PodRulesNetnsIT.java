package io.loam.it.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.cni.command.CommandException;
import io.loam.cni.command.Commands;
import io.loam.cni.rules.PodRedirection;
import io.loam.cni.rules.PodRules;
import io.loam.it.lab.HazardFigures;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

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

    /// A command is not done, as after a full table, or done and not reported, as when it was killed at its deadline.
    enum Fault {
        NOT_DONE,
        DONE_AND_FAILED
    }

    /// Joining runs five commands (two routes, two policy rules, one transaction), and so does leaving.
    private static final int STEPS = 5;

    @ParameterizedTest
    @EnumSource
    void aFaultAtAnyStepOfJoiningLeavesNoRedirectionAndTheNextTryIsWhole(Fault fault) throws Exception {
        for (int step = 1; step <= STEPS; step++) {
            try (var bench = new PodBench()) {
                var before = bench.podState();
                var faulty = new PodRedirection(faultAt(step, fault, bench.insidePod()));

                assertThatThrownBy(() -> faulty.apply(RULES))
                        .as("step %d", step)
                        .isInstanceOf(CommandException.class)
                        .hasMessageContaining("injected");

                if (fault == Fault.NOT_DONE) {
                    assertThat(bench.podState()).as("step %d", step).isEqualTo(before);
                } else {
                    // All rules or none; what else there is waits for a mark that only rules set.
                    assertThat(bench.podRuleset()).as("step %d", step).isEqualTo(step < STEPS ? "" : golden("default"));
                }
                new PodRedirection(bench.insidePod()).apply(RULES);
                assertThat(bench.podRuleset()).as("after step %d", step).isEqualTo(golden("default"));
                new PodRedirection(bench.insidePod()).remove(true);
                assertThat(bench.podState()).as("removed after step %d", step).isEqualTo(before);
            }
        }
        reached("joining", fault, "all rules or none");
    }

    @ParameterizedTest
    @EnumSource
    void aFaultWhileRepeatingKeepsTheRulesInForce(Fault fault) throws Exception {
        try (var bench = new PodBench()) {
            new PodRedirection(bench.insidePod()).apply(RULES);
            var whole = bench.podState();
            for (int step = 1; step <= STEPS; step++) {
                var faulty = new PodRedirection(faultAt(step, fault, bench.insidePod()));

                assertThatThrownBy(() -> faulty.apply(rules("bypass")))
                        .as("step %d", step)
                        .isInstanceOf(CommandException.class);

                assertThat(bench.podRuleset())
                        .as("step %d", step)
                        .isEqualTo(golden(fault == Fault.NOT_DONE || step < STEPS ? "default" : "bypass"));
                new PodRedirection(bench.insidePod()).apply(RULES);
                assertThat(bench.podState()).as("after step %d", step).isEqualTo(whole);
            }
        }
        reached("repeating", fault, "the rules in force stay");
    }

    /// The rules go first: without them nothing sets the mark that the others look for.
    @ParameterizedTest
    @EnumSource
    void aFaultAtAnyStepOfRemovalIsMadeGoodByTheNextTry(Fault fault) throws Exception {
        try (var bench = new PodBench()) {
            var before = bench.podState();
            for (int step = 1; step <= STEPS; step++) {
                new PodRedirection(bench.insidePod()).apply(RULES);
                var faulty = new PodRedirection(faultAt(step, fault, bench.insidePod()));

                assertThatThrownBy(() -> faulty.remove(true))
                        .as("step %d", step)
                        .isInstanceOf(CommandException.class);

                assertThat(bench.podRuleset())
                        .as("step %d", step)
                        .isEqualTo(fault == Fault.NOT_DONE && step == 1 ? golden("default") : "");
                new PodRedirection(bench.insidePod()).remove(true);
                assertThat(bench.podState()).as("after step %d", step).isEqualTo(before);
            }
        }
        reached("removal", fault, "all rules or none, and nothing after the next try");
    }

    private static void reached(String what, Fault fault, String outcome) {
        HazardFigures.reached(
                "C6",
                "fault at each of %d steps of %s, command %s: %s"
                        .formatted(
                                STEPS,
                                what,
                                switch (fault) {
                                    case NOT_DONE -> "not done";
                                    case DONE_AND_FAILED -> "done, but reported as failed";
                                },
                                outcome));
    }

    private static Commands faultAt(int step, Fault fault, Commands real) {
        var count = new int[1];
        return (arguments, input) -> {
            if (++count[0] == step) {
                if (fault == Fault.DONE_AND_FAILED) {
                    try {
                        real.run(arguments, input);
                    } catch (CommandException e) {
                        throw new CommandException(arguments, "injected fault after " + e.getMessage(), "");
                    }
                }
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
