package io.loam.config.object;

import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/// Whether workloads take plaintext.
///
/// @param selector empty = the whole namespace (the whole mesh in a root namespace)
/// @param portModes by port of the workload (not of the service), ascending
public record PeerAuthenticationObject(
        ObjectMeta meta, Map<String, String> selector, Mode mode, SortedMap<Integer, Mode> portModes)
        implements MeshObject {
    public PeerAuthenticationObject {
        selector = Map.copyOf(selector);
        portModes = Collections.unmodifiableSortedMap(new TreeMap<>(portModes));
    }

    public enum Mode {
        /// As the next wider scope says.
        UNSET,
        /// Cannot be honoured: a workload of the mesh always takes mutual TLS. Treated as PERMISSIVE.
        DISABLE,
        PERMISSIVE,
        STRICT
    }
}
