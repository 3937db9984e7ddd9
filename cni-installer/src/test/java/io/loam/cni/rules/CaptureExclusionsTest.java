package io.loam.cni.rules;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.model.address.CidrBlock;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class CaptureExclusionsTest {
    @Test
    void readsIstiosSpellingAndOursWins() {
        assertThat(CaptureExclusions.read(Map.of(
                        "traffic.sidecar.istio.io/excludeOutboundPorts", "9092, 443,9092",
                        "traffic.sidecar.istio.io/excludeOutboundIPRanges", "10.0.0.0/8,2001:db8::/32, 192.0.2.7",
                        "traffic.sidecar.istio.io/excludeInboundPorts", "1",
                        "loam.io/exclude-inbound-ports", "9100")))
                .isEqualTo(new CaptureExclusions(
                        List.of(443, 9092),
                        List.of(
                                CidrBlock.parse("10.0.0.0/8"),
                                CidrBlock.parse("2001:db8::/32"),
                                CidrBlock.parse("192.0.2.7")),
                        List.of(9100)));
        assertThat(CaptureExclusions.read(Map.of("loam.io/exclude-outbound-ports", "")))
                .isEqualTo(CaptureExclusions.NONE);
    }

    /// The values end up in an nft script, which root runs.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "loam.io/exclude-outbound-ports | 0",
                "loam.io/exclude-outbound-ports | 65536",
                "loam.io/exclude-outbound-ports | 80 }; flush ruleset",
                "loam.io/exclude-outbound-ports | 80,",
                "loam.io/exclude-inbound-ports | http",
                "loam.io/exclude-outbound-ip-ranges | 10.0.0.0/33",
                "loam.io/exclude-outbound-ip-ranges | example.com",
                "loam.io/exclude-outbound-ip-ranges | 10.0.0.1 accept",
                "traffic.sidecar.istio.io/excludeOutboundIPRanges | *",
            })
    void refusesWhatIsNoPortOrBlock(String key, String value) {
        assertThatThrownBy(() -> CaptureExclusions.read(Map.of(key, value)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(key + ": \"")
                .hasMessageContaining("(expected: ");
    }

    @Test
    void aPodTakesOverWhatItSaysNothingAbout() {
        var namespace = Map.of(
                "loam.io/exclude-outbound-ports", "443",
                "traffic.sidecar.istio.io/excludeInboundPorts", "9100",
                "loam.io/dns-capture", "true");
        var pod = Map.of("traffic.sidecar.istio.io/excludeOutboundPorts", "80", "other", "x");

        var effective = CaptureExclusions.inherited(pod, namespace);

        assertThat(effective).doesNotContainKey("loam.io/dns-capture").containsEntry("other", "x");
        assertThat(CaptureExclusions.read(effective))
                .isEqualTo(new CaptureExclusions(List.of(80), List.of(), List.of(9100)));
    }
}
