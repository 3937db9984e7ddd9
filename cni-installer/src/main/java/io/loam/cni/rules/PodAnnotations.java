package io.loam.cni.rules;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What a pod's annotations change in its redirection (wire reference, 1.4). Each has our spelling and
/// Istio's; ours wins where both are set.
///
/// @param dnsCapture null: as the node does it by default
/// @param bypassInbound inbound connections reach the application uncaptured
/// @param rerouteInterfaces interfaces whose incoming connections count as outbound ones of this pod (nested
///     machines)
/// @param exclusions what is not captured at all
public record PodAnnotations(
        @Nullable Boolean dnsCapture,
        boolean bypassInbound,
        List<String> rerouteInterfaces,
        CaptureExclusions exclusions) {
    /// IFNAMSIZ is 16 with the NUL; the characters are those that need no quoting anywhere.
    private static final Pattern INTERFACE = Pattern.compile("[A-Za-z0-9_.-]{1,15}");

    public PodAnnotations {
        rerouteInterfaces = List.copyOf(rerouteInterfaces);
    }

    /// @throws IllegalArgumentException naming the annotation, its value and what was expected
    public static PodAnnotations read(Map<String, String> annotations) {
        var dns = find(annotations, "loam.io/dns-capture", "ambient.istio.io/dns-capture");
        var bypass = find(annotations, "loam.io/bypass-inbound-capture", "ambient.istio.io/bypass-inbound-capture");
        var reroute = find(annotations, "loam.io/reroute-virtual-interfaces", "istio.io/reroute-virtual-interfaces");
        return new PodAnnotations(
                dns == null ? null : Boolean.valueOf(flag(dns)),
                bypass != null && flag(bypass),
                reroute == null ? List.of() : interfaces(reroute),
                CaptureExclusions.read(annotations));
    }

    static Map.@Nullable Entry<String, String> find(Map<String, String> annotations, String... keys) {
        for (var key : keys) {
            var value = annotations.get(key);
            if (value != null) {
                return Map.entry(key, value);
            }
        }
        return null;
    }

    private static boolean flag(Map.Entry<String, String> annotation) {
        return switch (annotation.getValue()) {
            case "true" -> true;
            case "false" -> false;
            default ->
                throw new IllegalArgumentException(
                        annotation.getKey() + ": \"" + annotation.getValue() + "\" (expected: \"true\" or \"false\")");
        };
    }

    private static List<String> interfaces(Map.Entry<String, String> annotation) {
        var names = Arrays.stream(annotation.getValue().split(","))
                .map(String::strip)
                .filter(name -> !name.isEmpty())
                .toList();
        for (var name : names) {
            if (!INTERFACE.matcher(name).matches()) {
                throw new IllegalArgumentException(annotation.getKey() + ": \"" + name
                        + "\" (expected: interface names of 1 to 15 characters a-z A-Z 0-9 . _ -)");
            }
        }
        return names;
    }
}
