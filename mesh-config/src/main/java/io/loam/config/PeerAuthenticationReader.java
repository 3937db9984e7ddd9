package io.loam.config;

import io.loam.config.object.PeerAuthenticationObject;
import io.loam.config.object.PeerAuthenticationObject.Mode;
import io.loam.config.yaml.YamlMapping;
import java.util.Map;
import java.util.TreeMap;

/// Reads PeerAuthentication.
final class PeerAuthenticationReader {
    private static final Map<String, Mode> MODES = new TreeMap<>(
            Map.of("UNSET", Mode.UNSET, "DISABLE", Mode.DISABLE, "PERMISSIVE", Mode.PERMISSIVE, "STRICT", Mode.STRICT));

    private PeerAuthenticationReader() {}

    static PeerAuthenticationObject read(YamlMapping root) {
        var meta = MetadataReader.read(root, true);
        var spec = root.mapping("spec");
        if (spec == null) {
            return new PeerAuthenticationObject(meta, Map.of(), Mode.UNSET, new TreeMap<>());
        }
        var selector = Selectors.labelSelector(spec, "selector");
        var mtls = spec.mapping("mtls");
        var mode = mtls == null ? Mode.UNSET : mode(mtls);
        var ports = new TreeMap<Integer, Mode>();
        var portLevel = spec.mapping("portLevelMtls");
        if (portLevel != null) {
            if (selector.isEmpty() && !portLevel.names().isEmpty()) {
                spec.reject("portLevelMtls", "a mapping", "a selector beside it", "");
            }
            for (var name : portLevel.names()) {
                readPort(portLevel, name, ports);
            }
        }
        spec.finish();
        return new PeerAuthenticationObject(meta, selector, mode, ports);
    }

    private static void readPort(YamlMapping portLevel, String name, Map<Integer, Mode> ports) {
        var setting = portLevel.mapping(name);
        try {
            int port = Integer.parseInt(name);
            if (port >= 1 && port <= PodReader.LAST_PORT && name.equals(Integer.toString(port))) {
                ports.put(port, setting == null ? Mode.UNSET : mode(setting));
                return;
            }
        } catch (NumberFormatException _) {
            // answered below
        }
        portLevel.reject(name, name, "a port of the workload from 1 to 65535", "");
    }

    private static Mode mode(YamlMapping mtls) {
        var mode = mtls.oneOf("mode", Mode.UNSET, MODES);
        if (mode == Mode.DISABLE) {
            mtls.warn(
                    "mode",
                    "DISABLE",
                    "PERMISSIVE or STRICT",
                    "treated as PERMISSIVE: a workload of the mesh always takes mutual TLS");
        }
        mtls.finish();
        return mode;
    }
}
