package io.loam.config.compile;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.workload.Workload.Egress;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Each scope in turn, from wide to narrow: the narrowest that says anything wins.
final class EgressPoliciesTest {
    private static final String POD = """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {NAMESPACE}}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: cart, namespace: shop, labels: {app: cart}, annotations: {ANNOTATION}}
            spec: {containers: [{name: web, command: [run]}]}
            """;

    @ParameterizedTest(name = "mesh {0}, root {1}, sidecar {2}, namespace {3}, selected {4}, pod {5}: {6}")
    @CsvSource(
            nullValues = "-",
            value = {
                "-, -, -, -, -, -, ALLOW_ANY",
                "REGISTRY_ONLY, -, -, -, -, -, REGISTRY_ONLY",
                "REGISTRY_ONLY, ALLOW_ANY, -, -, -, -, ALLOW_ANY",
                "ALLOW_ANY, REGISTRY_ONLY, -, -, -, -, REGISTRY_ONLY",
                "ALLOW_ANY, ALLOW_ANY, REGISTRY_ONLY, -, -, -, REGISTRY_ONLY",
                "REGISTRY_ONLY, REGISTRY_ONLY, ALLOW_ANY, -, -, -, ALLOW_ANY",
                "-, -, ALLOW_ANY, REGISTRY_ONLY, -, -, REGISTRY_ONLY",
                "-, -, -, REGISTRY_ONLY, ALLOW_ANY, -, ALLOW_ANY",
                "-, -, -, -, ALLOW_ANY, REGISTRY_ONLY, REGISTRY_ONLY",
                "-, -, -, -, REGISTRY_ONLY, ALLOW_ANY, ALLOW_ANY",
            })
    void theNarrowestScopeWins(
            String mesh, String root, String sidecar, String namespace, String selected, String pod, Egress expected) {
        var yaml = POD.replace("NAMESPACE", annotation(namespace)).replace("ANNOTATION", annotation(pod))
                + (mesh == null ? "" : """
                ---
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: istio, namespace: istio-system}
                data:
                  mesh: |
                    outboundTrafficPolicy:
                      mode: %s
                """.formatted(mesh))
                + sidecar("istio-system", root, "")
                + sidecar("shop", sidecar, "")
                + sidecar("shop", selected, "workloadSelector: {labels: {app: cart}}")
                + sidecar("shop", "REGISTRY_ONLY", "workloadSelector: {labels: {app: other}}")
                + sidecar("elsewhere", "REGISTRY_ONLY", "");

        assertThat(Compiled.of(yaml).workload("cart").egress()).isEqualTo(expected);
    }

    @Test
    void theStricterOfTwoWinsAndTheOtherIsReported() {
        var compiled = Compiled.of(POD.replace("NAMESPACE", "").replace("ANNOTATION", "")
                + sidecar("shop", "ALLOW_ANY", "").replace("name: s-", "name: a-")
                + sidecar("shop", "REGISTRY_ONLY", ""));

        assertThat(compiled.workload("cart").egress()).isEqualTo(Egress.REGISTRY_ONLY);
        assertThat(compiled.problems())
                .singleElement()
                .asString()
                .contains("spec.outboundTrafficPolicy: ALLOW_ANY (expected: one policy for the same workloads)")
                .contains("is stricter and wins");
    }

    @Test
    void readsTheOperatorsMeshConfig() {
        var compiled = Compiled.of(POD.replace("NAMESPACE", "").replace("ANNOTATION", "") + """
                ---
                apiVersion: install.istio.io/v1alpha1
                kind: IstioOperator
                metadata: {name: control-plane}
                spec:
                  profile: ambient
                  meshConfig: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
                """);

        assertThat(compiled.workload("cart").egress()).isEqualTo(Egress.REGISTRY_ONLY);
    }

    private static String annotation(@Nullable String mode) {
        return mode == null ? "" : "loam.io/outbound-traffic-policy: " + mode;
    }

    private static String sidecar(String namespace, @Nullable String mode, String selector) {
        if (mode == null) {
            return "";
        }
        return """
                ---
                apiVersion: networking.istio.io/v1
                kind: Sidecar
                metadata: {name: s-%d, namespace: %s}
                spec:
                  outboundTrafficPolicy: {mode: %s}
                  %s
                """.formatted((namespace + selector).hashCode() & 0xffff, namespace, mode, selector);
    }
}
