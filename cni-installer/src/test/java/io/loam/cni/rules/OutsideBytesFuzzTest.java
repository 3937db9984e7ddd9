package io.loam.cni.rules;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// What users write into annotations, as any text: rules, or a refusal that names the annotation. What gets into rules
/// is
/// run as root, so it is made of nothing but names of interfaces, ports and blocks of addresses. Each build runs what
/// lies in the resources beside this class; CONTRIBUTING says how to look for more.
class OutsideBytesFuzzTest {
    private static final List<String> KEYS = List.of(
            "loam.io/dns-capture",
            "ambient.istio.io/bypass-inbound-capture",
            "istio.io/reroute-virtual-interfaces",
            "loam.io/exclude-outbound-ports",
            "traffic.sidecar.istio.io/excludeOutboundIPRanges",
            "loam.io/exclude-inbound-ports");

    /// One line for each of the keys above; an empty one: not set.
    @FuzzTest(maxDuration = "10m")
    void annotations(byte[] input) {
        var values = new String(input, StandardCharsets.UTF_8).split("\n", -1);
        var annotations = new HashMap<String, String>();
        for (int i = 0; i < Math.min(values.length, KEYS.size()); i++) {
            if (!values[i].isEmpty()) {
                annotations.put(KEYS.get(i), values[i]);
            }
        }
        PodAnnotations read;
        try {
            read = PodAnnotations.read(annotations);
        } catch (IllegalArgumentException refused) {
            assertThat(refused.getMessage()).contains(": \"").containsAnyOf(KEYS.toArray(String[]::new));
            return;
        }
        assertThat(read.rerouteInterfaces()).allSatisfy(name -> assertThat(name).matches("[A-Za-z0-9_.-]{1,15}"));
        assertThat(read.exclusions().outboundPorts()).isSorted().allMatch(port -> port >= 1 && port <= 65535);
        assertThat(read.exclusions().inboundPorts()).isSorted().allMatch(port -> port >= 1 && port <= 65535);
        assertThat(read.exclusions().outboundBlocks())
                .allSatisfy(block -> assertThat(block.toString()).matches("[0-9a-f.:]+/[0-9]+"));
        assertThat(CaptureExclusions.inherited(annotations, Map.of())).isEqualTo(annotations);
    }
}
