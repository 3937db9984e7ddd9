package io.loam.config;

import io.loam.config.object.GatewayObject;
import io.loam.config.object.GatewayObject.Admission;
import io.loam.config.object.GatewayObject.Admission.From;
import io.loam.config.yaml.YamlMapping;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Reads Gateway of the Gateway API, as far as waypoints are concerned.
final class GatewayReader {
    private static final Map<String, From> FROM =
            new TreeMap<>(Map.of("Same", From.SAME, "All", From.ALL, "Selector", From.SELECTOR));

    private GatewayReader() {}

    static @Nullable GatewayObject read(YamlMapping root) {
        var meta = MetadataReader.read(root, true);
        var spec = root.mapping("spec");
        if (spec == null) {
            if (!root.has("spec")) {
                root.missing("spec", "spec with a gatewayClassName");
            }
            return null;
        }
        var className = spec.requiredText("gatewayClassName", "the name of a GatewayClass");
        var gateway = new GatewayObject(meta, className, List.of(), Admission.SAME);
        if (!gateway.isWaypoint()) {
            spec.ignore("listeners", "addresses", "infrastructure", "allowedListeners", "tls", "backendTLS");
            spec.finish();
            return gateway;
        }
        checkWaypointFor(root);
        var read = new GatewayObject(meta, className, addresses(spec), listeners(spec));
        spec.withoutEffect("without effect", "infrastructure", "allowedListeners", "tls");
        spec.finish();
        return read;
    }

    private static void checkWaypointFor(YamlMapping root) {
        var metadata = root.mapping("metadata");
        if (metadata == null) {
            return;
        }
        metadata.scalarMap("labels").forEach((key, value) -> {
            if ((key.equals("loam.io/waypoint-for") || key.equals("istio.io/waypoint-for"))
                    && GatewayObject.WaypointFor.parse(value.text()).isEmpty()) {
                value.reject("service, workload, all or none");
            }
        });
    }

    private static List<String> addresses(YamlMapping spec) {
        var addresses = new ArrayList<String>();
        for (var item : spec.mappings("addresses")) {
            var type = item.text("type", "IPAddress");
            var value = item.scalar("value");
            if (value == null) {
                item.missing("value", "an IP address or a host name");
            } else if (type.equals("IPAddress") && Addresses.parse(value.text()) == null) {
                value.reject("an IP address");
            } else if (type.equals("Hostname") && !Names.isHostname(value.text())) {
                value.reject("a host name");
            } else if (!type.equals("IPAddress") && !type.equals("Hostname")) {
                MetadataReader.reject(item, "type", "IPAddress or Hostname");
            } else {
                addresses.add(value.text());
            }
            item.finish();
        }
        return addresses;
    }

    /// A waypoint has one listener that counts, HBONE on 15008.
    private static Admission listeners(YamlMapping spec) {
        Admission admission = null;
        for (var listener : spec.mappings("listeners")) {
            listener.ignore("name", "hostname", "tls");
            var protocol = listener.text("protocol", "HBONE");
            int port = listener.integer("port", GatewayObject.HBONE_PORT, 1, PodReader.LAST_PORT);
            var admits = admission(listener);
            if (!protocol.equals("HBONE") || port != GatewayObject.HBONE_PORT) {
                listener.warn(
                        protocol.equals("HBONE") ? "port" : "protocol",
                        protocol + " on " + port,
                        "HBONE on " + GatewayObject.HBONE_PORT,
                        "ignored: a waypoint has no other listener");
            } else if (admission == null) {
                admission = admits;
            }
            listener.finish();
        }
        if (admission == null) {
            spec.warn(
                    "listeners",
                    spec.describe("listeners"),
                    "a listener for protocol HBONE on port " + GatewayObject.HBONE_PORT,
                    "taken as if there were one");
        }
        return admission == null ? Admission.SAME : admission;
    }

    private static Admission admission(YamlMapping listener) {
        var allowed = listener.mapping("allowedRoutes");
        if (allowed == null) {
            return Admission.SAME;
        }
        allowed.ignore("kinds");
        var namespaces = allowed.mapping("namespaces");
        var result = Admission.SAME;
        if (namespaces != null) {
            var from = namespaces.oneOf("from", From.SAME, FROM);
            var labels = Selectors.labelSelector(namespaces, "selector");
            if (from == From.SELECTOR && labels.isEmpty() && !namespaces.has("selector")) {
                namespaces.missing("selector", "a selector, as from is Selector");
            }
            result = new Admission(from, labels);
            namespaces.finish();
        }
        allowed.finish();
        return result;
    }
}
