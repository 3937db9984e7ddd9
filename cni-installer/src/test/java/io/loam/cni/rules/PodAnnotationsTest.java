package io.loam.cni.rules;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Wire reference, 1.4.
class PodAnnotationsTest {
    @Test
    void nothingSaidMeansTheNodesDefaults() {
        assertThat(PodAnnotations.read(Map.of("other", "x")))
                .isEqualTo(new PodAnnotations(null, false, List.of(), CaptureExclusions.NONE));
    }

    @Test
    void readsIstiosSpelling() {
        assertThat(PodAnnotations.read(Map.of(
                        "ambient.istio.io/dns-capture", "true",
                        "ambient.istio.io/bypass-inbound-capture", "true",
                        "istio.io/reroute-virtual-interfaces", "vnet0, tap1,")))
                .isEqualTo(new PodAnnotations(true, true, List.of("vnet0", "tap1"), CaptureExclusions.NONE));
    }

    @Test
    void oursWins() {
        assertThat(PodAnnotations.read(Map.of(
                        "loam.io/dns-capture", "false",
                        "ambient.istio.io/dns-capture", "true",
                        "loam.io/bypass-inbound-capture", "false",
                        "ambient.istio.io/bypass-inbound-capture", "true")))
                .isEqualTo(new PodAnnotations(false, false, List.of(), CaptureExclusions.NONE));
    }

    @Test
    void thePodOverridesTheNode() {
        var off = PodAnnotations.read(Map.of("loam.io/dns-capture", "false"));
        var silent = PodAnnotations.read(Map.of());

        assertThat(PodRules.of(off, true, true).dnsCapture()).isFalse();
        assertThat(PodRules.of(silent, true, true).dnsCapture()).isTrue();
        assertThat(PodRules.of(silent, false, true).dnsCapture()).isFalse();
    }

    @Test
    void namesTheAnnotationThatIsNoFlag() {
        assertThatThrownBy(() -> PodAnnotations.read(Map.of("ambient.istio.io/dns-capture", "yes")))
                .hasMessage("ambient.istio.io/dns-capture: \"yes\" (expected: \"true\" or \"false\")");
    }

    /// The names end up in an nft script, which root runs.
    @ParameterizedTest
    @ValueSource(
            strings = {"a\"; flush ruleset; \"", "a b", "eth0\nflush ruleset", "a-name-of-16-chars", "$(x)", "a/b"})
    void refusesWhatIsNoInterface(String name) {
        assertThatThrownBy(() -> PodAnnotations.read(Map.of("loam.io/reroute-virtual-interfaces", name)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("loam.io/reroute-virtual-interfaces: ");
    }
}
