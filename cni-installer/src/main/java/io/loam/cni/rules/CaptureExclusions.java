package io.loam.cni.rules;

import io.loam.model.address.CidrBlock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;

/// What the rules of a pod leave alone, by port and by address: Istio has annotations for it in sidecar mode
/// and none in ambient mode, where users ask for them (wire reference, 1.4 and section 13, row 6). Both
/// spellings are read, on pods and on namespaces; ours wins on one object, and a pod's own word over its
/// namespace's.
///
/// What is excluded does not pass the agent: no mutual TLS, no policies of the source's side, no telemetry.
/// An excluded inbound port takes plaintext from everybody whatever PeerAuthentication says; callers of the
/// mesh still reach it through their tunnels.
///
/// @param outboundPorts destination ports, sorted, 1 to 65535
/// @param outboundBlocks destination addresses
/// @param inboundPorts ports of the pod, sorted, 1 to 65535
public record CaptureExclusions(
        List<Integer> outboundPorts, List<CidrBlock> outboundBlocks, List<Integer> inboundPorts) {
    public static final CaptureExclusions NONE = new CaptureExclusions(List.of(), List.of(), List.of());

    private static final List<String> OUTBOUND_PORTS =
            List.of("loam.io/exclude-outbound-ports", "traffic.sidecar.istio.io/excludeOutboundPorts");
    private static final List<String> OUTBOUND_BLOCKS =
            List.of("loam.io/exclude-outbound-ip-ranges", "traffic.sidecar.istio.io/excludeOutboundIPRanges");
    private static final List<String> INBOUND_PORTS =
            List.of("loam.io/exclude-inbound-ports", "traffic.sidecar.istio.io/excludeInboundPorts");
    private static final int LAST_PORT = 65535;

    public CaptureExclusions {
        outboundPorts = List.copyOf(outboundPorts);
        outboundBlocks = List.copyOf(outboundBlocks);
        inboundPorts = List.copyOf(inboundPorts);
    }

    /// @throws IllegalArgumentException naming the annotation, its value and what was expected
    static CaptureExclusions read(Map<String, String> annotations) {
        return new CaptureExclusions(
                ports(annotations, OUTBOUND_PORTS),
                list(annotations, OUTBOUND_BLOCKS, "IP addresses or CIDR blocks such as 10.0.0.0/8", CidrBlock::parse),
                ports(annotations, INBOUND_PORTS));
    }

    /// The annotations of a pod together with those about exclusions that it takes over from its namespace.
    public static Map<String, String> inherited(Map<String, String> pod, Map<String, String> namespace) {
        var all = new HashMap<>(pod);
        for (var keys : List.of(OUTBOUND_PORTS, OUTBOUND_BLOCKS, INBOUND_PORTS)) {
            if (PodAnnotations.find(pod, keys.toArray(String[]::new)) == null) {
                var around = PodAnnotations.find(namespace, keys.toArray(String[]::new));
                if (around != null) {
                    all.put(around.getKey(), around.getValue());
                }
            }
        }
        return all;
    }

    private static List<Integer> ports(Map<String, String> annotations, List<String> keys) {
        return List.copyOf(new TreeSet<>(
                list(annotations, keys, "ports from 1 to 65535 separated by commas", CaptureExclusions::port)));
    }

    private static int port(String text) {
        int port = Integer.parseInt(text);
        if (port < 1 || port > LAST_PORT) {
            throw new IllegalArgumentException(text);
        }
        return port;
    }

    private static <T> List<T> list(
            Map<String, String> annotations, List<String> keys, String expected, Function<String, T> parse) {
        var written = PodAnnotations.find(annotations, keys.toArray(String[]::new));
        var values = new ArrayList<T>();
        if (written == null || written.getValue().isBlank()) {
            return values;
        }
        for (var part : written.getValue().split(",", -1)) {
            try {
                values.add(parse.apply(part.strip()));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(
                        written.getKey() + ": \"" + part.strip() + "\" (expected: " + expected + ")", e);
            }
        }
        return values;
    }
}
