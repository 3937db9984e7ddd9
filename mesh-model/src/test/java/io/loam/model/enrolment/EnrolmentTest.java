package io.loam.model.enrolment;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Wire reference, 6.1.
final class EnrolmentTest {
    @ParameterizedTest
    @CsvSource({
        "ambient, ,        POD_LABEL",
        "ambient, none,    POD_LABEL",
        ",        ambient, NAMESPACE_LABEL",
        "other,   ambient, NAMESPACE_LABEL",
        "none,    ambient, OPTED_OUT",
        "none,    ,        NOT_ASKED_FOR",
        ",        none,    NOT_ASKED_FOR",
        ",        ,        NOT_ASKED_FOR",
    })
    void decidesByLabels(String pod, String namespace, Enrolment expected) {
        for (var key : new String[] {"loam.io/dataplane-mode", "istio.io/dataplane-mode"}) {
            assertThat(Enrolment.decide(label(key, pod), Map.of(), "shop", label(key, namespace), false))
                    .isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @CsvSource({"ambient, none, true", "none, ambient, false"})
    void prefersTheOwnLabelOnOneObject(String own, String istio, boolean enrolled) {
        var both = Map.of("loam.io/dataplane-mode", own, "istio.io/dataplane-mode", istio);
        assertThat(Enrolment.decide(both, Map.of(), "shop", Map.of(), false).enrolled())
                .isEqualTo(enrolled);
        assertThat(Enrolment.decide(Map.of(), Map.of(), "shop", both, false).enrolled())
                .isEqualTo(enrolled);
    }

    @ParameterizedTest
    @CsvSource({"kube-system, false, , EXCLUDED_NAMESPACE", "shop, true, , HOST_NETWORK", "shop, false, {}, SIDECAR"})
    void neverEnrols(String namespace, boolean hostNetwork, String sidecarStatus, Enrolment expected) {
        var wanted = Map.of("loam.io/dataplane-mode", "ambient");
        var annotations = label("sidecar.istio.io/status", sidecarStatus);
        assertThat(Enrolment.decide(wanted, annotations, namespace, wanted, hostNetwork))
                .isEqualTo(expected);
    }

    /// A waypoint in a namespace of the mesh: port 15008 of its pod is its own.
    @Test
    void leavesPodsThatEndTunnelsThemselvesAlone() {
        var wanted = Map.of("istio.io/dataplane-mode", "ambient", "networking.istio.io/tunnel", "http");
        assertThat(Enrolment.decide(wanted, Map.of(), "shop", wanted, false)).isEqualTo(Enrolment.OWN_TUNNEL);
    }

    private static Map<String, String> label(String key, String value) {
        return value == null ? Map.of() : Map.of(key, value);
    }
}
