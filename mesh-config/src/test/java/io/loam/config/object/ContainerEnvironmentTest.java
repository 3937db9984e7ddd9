package io.loam.config.object;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.object.ContainerEnvironment.PodFacts;
import io.loam.config.object.ContainerSpec.EnvVar;
import io.loam.config.object.ContainerSpec.EnvVar.FieldRef;
import io.loam.config.object.ContainerSpec.EnvVar.Literal;
import io.loam.config.object.PodSpec.RestartPolicy;
import io.loam.config.problem.SourcePosition;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ContainerEnvironmentTest {
    /// The cases of Kubernetes' own documentation of the rule, and its edges.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "$(A) | one",
                "x$(A)y | xoney",
                "$(A)$(B) | onetwo",
                "$(NONE) | $(NONE)",
                "$$(A) | $(A)",
                "$$$(A) | $one",
                "$$$$(A) | $$(A)",
                "$A | $A",
                "$(A | $(A",
                "cost: 5$ | cost: 5$",
                "$() | $()",
                "$( A ) | $( A )",
            })
    void expandsReferencesAsKubernetesDoes(String text, String expected) {
        assertThat(ContainerEnvironment.expand(text, Map.of("A", "one", "B", "two")))
                .isEqualTo(expected);
    }

    @Test
    void aVariableMayUseThoseBeforeItAndThoseItInherits() {
        var environment = ContainerEnvironment.of(
                List.of(
                        new EnvVar("LATER_USED", new Literal("$(FIRST)")),
                        new EnvVar("FIRST", new Literal("1")),
                        new EnvVar("SECOND", new Literal("$(FIRST)-$(INHERITED)"))),
                facts(),
                Map.of("INHERITED", "yes"));

        assertThat(environment.variables())
                .isEqualTo(Map.of("INHERITED", "yes", "LATER_USED", "$(FIRST)", "FIRST", "1", "SECOND", "1-yes"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "metadata.name | cart-1",
                "metadata.namespace | shop",
                "metadata.uid | u-1",
                "metadata.labels['app'] | cart",
                "metadata.labels['none'] | ''",
                "metadata.annotations['a/b'] | c",
                "spec.nodeName | node-1",
                "spec.serviceAccountName | robot",
                "status.podIP | 10.244.1.2",
                "status.podIPs | 10.244.1.2,fd00::2",
                "status.hostIP | 172.20.0.11",
            })
    void knowsTheFactsOfThePod(String path, String expected) {
        var environment = ContainerEnvironment.of(List.of(new EnvVar("X", new FieldRef(path))), facts(), Map.of());

        assertThat(environment.variables()).containsEntry("X", expected);
    }

    @Test
    void expandsCommands() {
        var environment = ContainerEnvironment.of(List.of(new EnvVar("PORT", new Literal("80"))), facts(), Map.of());

        assertThat(environment.expand(List.of("serve", "--port=$(PORT)"))).containsExactly("serve", "--port=80");
    }

    private static PodFacts facts() {
        var origin = new Origin(SourcePosition.wholeFile(Path.of("x")), Map.of());
        var meta = new ObjectMeta("cart-1", "shop", Map.of("app", "cart"), Map.of("a/b", "c"), null, origin);
        var spec = new PodSpec(
                List.of(),
                List.of(),
                RestartPolicy.ALWAYS,
                "",
                Map.of(),
                "robot",
                false,
                "",
                "",
                Duration.ofSeconds(30));
        return new PodFacts(
                new PodObject(meta, spec, List.of()),
                "u-1",
                "node-1",
                List.of("10.244.1.2", "fd00::2"),
                List.of("172.20.0.11"));
    }
}
