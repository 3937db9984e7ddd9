package io.loam.config.compile;

import io.loam.config.cluster.ClusterState;
import io.loam.config.object.GatewayObject;
import io.loam.config.object.GatewayObject.Admission.From;
import io.loam.config.object.MeshObject;
import io.loam.config.object.NamespaceObject;
import io.loam.config.object.ServiceObject;
import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import io.loam.model.address.GatewayAddress;
import io.loam.model.address.GatewayAddress.Destination;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.address.NetworkAddress;
import io.loam.model.identity.SpiffeId;
import io.loam.model.service.WeightedWaypoint;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Which waypoint each destination is behind (wire reference, 6.1).
///
/// A binding that cannot be kept is closed (hazard I18): the destination refers to a waypoint that cannot be
/// resolved, so its callers are refused, and a problem says so. Istio lets traffic go around such a waypoint;
/// who wants that says `loam.io/waypoint-bypass: allow` on the object, its namespace or the Gateway.
final class Waypoints {
    static final String BYPASS_ANNOTATION = "loam.io/waypoint-bypass";

    private static final List<String> PREFIXES = List.of("loam.io/", "istio.io/");
    private static final String NO_WAYPOINT = "none";

    private final Map<Name, GatewayObject> gateways = new HashMap<>();
    private final Map<String, NamespaceObject> namespaces = new HashMap<>();
    private final Map<Name, Set<SpiffeId>> identities = new HashMap<>();
    private final Set<Name> ready = new HashSet<>();
    private final MeshSettings settings;
    private final List<Problem> problems;
    private final Set<Problem> reported = new LinkedHashSet<>();

    /// Of a Gateway.
    record Name(String namespace, String name) {
        @Override
        public String toString() {
            return namespace + "/" + name;
        }
    }

    /// How a destination is bound.
    ///
    /// @param weighted empty where there is one waypoint
    /// @param callers who may connect to what is behind it; empty where everybody may
    /// @param names of the gateways, sorted, for the name of the policy that keeps others out
    record Binding(
            @Nullable GatewayAddress waypoint,
            List<WeightedWaypoint> weighted,
            Set<SpiffeId> callers,
            Set<String> names) {
        static final Binding NONE = new Binding(null, List.of(), Set.of(), Set.of());

        boolean isEnforced() {
            return waypoint != null && !names.isEmpty();
        }
    }

    /// A label that asks for a waypoint.
    private record Request(MeshObject object, boolean own, String key, Name gateway) {}

    Waypoints(ClusterState cluster, MeshSettings settings, List<Problem> problems) {
        this.settings = settings;
        this.problems = problems;
        cluster.objects(NamespaceObject.class)
                .forEach(namespace -> namespaces.put(namespace.meta().name(), namespace));
        cluster.objects(GatewayObject.class).forEach(gateway -> {
            if (gateway.isWaypoint()) {
                gateways.put(new Name(gateway.meta().namespace(), gateway.meta().name()), gateway);
            } else {
                report(
                        Severity.NOTE,
                        gateway,
                        "spec.gatewayClassName",
                        gateway.className(),
                        "istio-waypoint or loam-waypoint",
                        "without effect: there are no gateways for ingress in this version");
            }
        });
        for (var pod : cluster.pods()) {
            var name = pod.pod().meta().labels().get(GatewayObject.NAME_LABEL);
            if (name != null) {
                var gateway = new Name(pod.namespace(), name);
                SpiffeId.of(
                                settings.trustDomain(),
                                pod.namespace(),
                                pod.pod().spec().serviceAccountName())
                        .ifPresent(identity -> identities
                                .computeIfAbsent(gateway, _ -> new HashSet<>())
                                .add(identity));
                if (pod.ready() && !pod.terminating()) {
                    ready.add(gateway);
                }
            }
        }
    }

    /// Those whose service nobody wrote.
    List<GatewayObject> withoutService(Set<NamespacedHostname> services) {
        return gateways.values().stream()
                .filter(gateway -> !services.contains(hostOf(nameOf(gateway))))
                .toList();
    }

    static Name nameOf(GatewayObject gateway) {
        return new Name(gateway.meta().namespace(), gateway.meta().name());
    }

    NamespacedHostname hostOf(Name gateway) {
        return new NamespacedHostname(gateway.namespace(), settings.hostname(gateway.name(), gateway.namespace()));
    }

    /// Whether labels are those of a waypoint's own pods, or of its service.
    boolean isWaypoint(String namespace, Map<String, String> labels) {
        var name = labels.get(GatewayObject.NAME_LABEL);
        return name != null && gateways.containsKey(new Name(namespace, name));
    }

    Binding ofService(MeshObject service) {
        boolean itself = service instanceof ServiceObject && gateways.containsKey(nameOf(service));
        return itself || isWaypoint(service.meta().namespace(), service.meta().labels())
                ? Binding.NONE
                : bind(service, service.meta().labels(), true);
    }

    /// @param labels as selectors see them
    Binding ofWorkload(MeshObject workload, Map<String, String> labels) {
        return isWaypoint(workload.meta().namespace(), labels) ? Binding.NONE : bind(workload, labels, false);
    }

    /// Whether gateways for ingress send what they get through the waypoint too.
    boolean ingressUsesWaypoint(MeshObject service) {
        var namespace = namespaces.get(service.meta().namespace());
        for (var prefix : PREFIXES) {
            var own = service.meta().labels().get(prefix + "ingress-use-waypoint");
            if (own != null) {
                return own.equals("true");
            }
        }
        return namespace != null
                && PREFIXES.stream()
                        .anyMatch(prefix ->
                                "true".equals(namespace.meta().labels().get(prefix + "ingress-use-waypoint")));
    }

    private static Name nameOf(MeshObject object) {
        return new Name(object.meta().namespace(), object.meta().name());
    }

    private Binding bind(MeshObject object, Map<String, String> labels, boolean service) {
        var request = request(object, labels, "use-waypoint");
        if (request == null) {
            return Binding.NONE;
        }
        var gateway = gateways.get(request.gateway());
        if (gateway != null && !request.own() && !serves(gateway, service)) {
            return Binding.NONE; // a namespace binds what the waypoint is for, and nothing else
        }
        boolean bypass = mayBypass(object) || (gateway != null && mayBypass(gateway));
        var objection = objection(request, gateway, service);
        if (objection != null) {
            report(
                    Severity.WARNING,
                    request.object(),
                    "metadata.labels[\"" + request.key() + "\"]",
                    request.gateway().name(),
                    objection,
                    bypass
                            ? "connections go straight to the workload, as " + BYPASS_ANNOTATION + " allows"
                            : "connections are refused; " + BYPASS_ANNOTATION + ": allow would let them go straight");
        }
        if (bypass && (objection != null || !ready.contains(request.gateway()))) {
            return Binding.NONE;
        }
        if (objection != null) {
            var names = Set.of(request.gateway().toString().replace('/', '.'));
            return new Binding(closed(request.gateway()), List.of(), Set.of(), names);
        }
        var canary = canary(object, labels, service);
        var behind = new ArrayList<Name>(List.of(request.gateway()));
        if (canary != null) {
            behind.add(canary.gateway());
        }
        var callers = new HashSet<SpiffeId>();
        behind.forEach(name -> callers.addAll(identitiesOf(name)));
        var names = new TreeSet<String>();
        behind.forEach(name -> names.add(name.toString().replace('/', '.')));
        var primary = address(request.gateway(), gateway);
        return new Binding(
                primary,
                canary == null
                        ? List.of()
                        : List.of(
                                new WeightedWaypoint(primary, 100 - canary.weight()),
                                new WeightedWaypoint(
                                        address(canary.gateway(), gateways.get(canary.gateway())), canary.weight())),
                callers,
                bypass ? Set.of() : names);
    }

    /// The label of the object, otherwise its namespace's; ours before Istio's on each.
    private @Nullable Request request(MeshObject object, Map<String, String> labels, String label) {
        var own = requestOf(object, true, labels, label, object.meta().namespace());
        if (own != null) {
            return own.gateway().name().equals(NO_WAYPOINT) ? null : own;
        }
        var namespace = namespaces.get(object.meta().namespace());
        var around = namespace == null
                ? null
                : requestOf(
                        namespace,
                        false,
                        namespace.meta().labels(),
                        label,
                        namespace.meta().name());
        return around == null || around.gateway().name().equals(NO_WAYPOINT) ? null : around;
    }

    private static @Nullable Request requestOf(
            MeshObject object, boolean own, Map<String, String> labels, String label, String namespace) {
        for (var prefix : PREFIXES) {
            var name = labels.get(prefix + label);
            if (name != null && !name.isEmpty()) {
                var elsewhere = labels.get(prefix + label + "-namespace");
                return new Request(
                        object, own, prefix + label, new Name(elsewhere == null ? namespace : elsewhere, name));
            }
        }
        return null;
    }

    /// @return what would be right, or null where nothing is wrong
    private @Nullable String objection(Request request, @Nullable GatewayObject gateway, boolean service) {
        if (gateway == null) {
            return "the name of a Gateway of class istio-waypoint or loam-waypoint in namespace "
                    + request.gateway().namespace();
        }
        if (!serves(gateway, service)) {
            return "a waypoint for " + (service ? "services" : "workloads")
                    + ", as its label istio.io/waypoint-for says";
        }
        if (!admits(gateway, request.object())) {
            return "a waypoint whose listener allows routes from namespace " + namespaceOf(request.object());
        }
        return null;
    }

    private static boolean serves(GatewayObject gateway, boolean service) {
        return gateway.waypointFor()
                .map(what -> service ? what.services() : what.workloads())
                .orElse(false);
    }

    private boolean admits(GatewayObject gateway, MeshObject object) {
        var namespace = namespaceOf(object);
        if (gateway.meta().namespace().equals(namespace)) {
            return gateway.admits().from() != From.SELECTOR || selects(gateway, namespace);
        }
        return switch (gateway.admits().from()) {
            case SAME -> false;
            case ALL -> true;
            case SELECTOR -> selects(gateway, namespace);
        };
    }

    private boolean selects(GatewayObject gateway, String namespace) {
        var labels = new HashMap<String, String>();
        labels.put("kubernetes.io/metadata.name", namespace); // every namespace of Kubernetes has it
        var object = namespaces.get(namespace);
        if (object != null) {
            labels.putAll(object.meta().labels());
        }
        return labels.entrySet().containsAll(gateway.admits().selector().entrySet());
    }

    private static String namespaceOf(MeshObject object) {
        return object instanceof NamespaceObject
                ? object.meta().name()
                : object.meta().namespace();
    }

    /// `loam.io/waypoint-bypass: allow` on the object or, where it says nothing, its namespace.
    private boolean mayBypass(MeshObject object) {
        var own = object.meta().annotations().get(BYPASS_ANNOTATION);
        if (own != null) {
            return own.equals("allow");
        }
        var namespace = namespaces.get(object.meta().namespace());
        return namespace != null
                && "allow".equals(namespace.meta().annotations().get(BYPASS_ANNOTATION));
    }

    /// @param weight percent of new connections
    private record Canary(Name gateway, int weight) {}

    /// A second waypoint on trial. Whatever is wrong with it, the first one gets everything.
    private @Nullable Canary canary(MeshObject object, Map<String, String> labels, boolean service) {
        var request = request(object, labels, "use-waypoint-canary");
        if (request == null) {
            return null;
        }
        var annotation = request.key() + "-weight";
        var written = request.object().meta().annotations().getOrDefault(annotation, "0");
        int weight = percent(written);
        if (weight < 0) {
            report(
                    Severity.WARNING,
                    request.object(),
                    "metadata.annotations[\"" + annotation + "\"]",
                    written,
                    "a whole number from 0 to 100",
                    "the waypoint " + request.gateway() + " gets nothing");
            return null;
        }
        var gateway = gateways.get(request.gateway());
        var objection = objection(request, gateway, service);
        if (objection != null) {
            report(
                    Severity.WARNING,
                    request.object(),
                    "metadata.labels[\"" + request.key() + "\"]",
                    request.gateway().name(),
                    objection,
                    "gets nothing");
            return null;
        }
        return weight == 0 || !ready.contains(request.gateway()) ? null : new Canary(request.gateway(), weight);
    }

    private static int percent(String text) {
        try {
            int value = Integer.parseInt(text);
            return value >= 0 && value <= 100 ? value : -1;
        } catch (NumberFormatException _) { // answered as a number out of range is
            return -1;
        }
    }

    /// By what the Gateway asks for, otherwise by the service of its name; that of a Gateway that is missing
    /// cannot be resolved, which is what closes the way.
    private GatewayAddress address(Name name, @Nullable GatewayObject gateway) {
        if (gateway != null && !gateway.addresses().isEmpty()) {
            var written = gateway.addresses().getFirst();
            try {
                var ip = InetAddress.ofLiteral(written);
                return new GatewayAddress(
                        new Destination.ByAddress(new NetworkAddress(settings.network(), ip)),
                        GatewayObject.HBONE_PORT);
            } catch (IllegalArgumentException _) { // checked when it was read: then it is a host name
                return new GatewayAddress(
                        new Destination.ByHostname(new NamespacedHostname(name.namespace(), written)),
                        GatewayObject.HBONE_PORT);
            }
        }
        return new GatewayAddress(new Destination.ByHostname(hostOf(name)), GatewayObject.HBONE_PORT);
    }

    /// A reference that nothing resolves (RFC 2606, 2): there may well be a service of the Gateway's name.
    private static GatewayAddress closed(Name name) {
        return new GatewayAddress(
                new Destination.ByHostname(new NamespacedHostname(
                        name.namespace(), name.name() + "." + name.namespace() + ".no-such-waypoint.invalid")),
                GatewayObject.HBONE_PORT);
    }

    /// Of its pods; while there are none, that of the account which Istio makes for them.
    private Set<SpiffeId> identitiesOf(Name gateway) {
        var known = identities.get(gateway);
        if (known != null) {
            return known;
        }
        return SpiffeId.of(settings.trustDomain(), gateway.namespace(), gateway.name())
                .map(Set::of)
                .orElse(Set.of());
    }

    private void report(
            Severity severity, MeshObject object, String field, String value, String expected, String reason) {
        var problem = new Problem(
                severity, object.meta().origin().of(field), object.key().toString(), field, value, expected, reason);
        if (reported.add(problem)) {
            problems.add(problem);
        }
    }
}
