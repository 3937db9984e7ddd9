package io.loam.config.compile;

import io.loam.config.check.MeshChecks;
import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.LabelIndex;
import io.loam.config.cluster.RunningPod;
import io.loam.config.object.AuthorizationPolicyObject;
import io.loam.config.object.MeshObject;
import io.loam.config.object.NamespaceObject;
import io.loam.config.object.NodeObject;
import io.loam.config.object.PeerAuthenticationObject;
import io.loam.config.object.ServiceObject;
import io.loam.config.object.ServiceObject.TrafficDistribution;
import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.service.Service;
import io.loam.model.service.ServicePort;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// From what exists to the mesh as proxies know it (wire reference, 4.3, 7.3, 7.4). A pure function; from any thread.
public final class MeshCompiler {
    private static final List<String> NAME_LABELS =
            List.of("service.istio.io/canonical-name", "app.kubernetes.io/name", "app");
    private static final List<String> REVISION_LABELS =
            List.of("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version");
    private static final String LATEST = "latest";
    private static final String TUNNEL_LABEL = "networking.istio.io/tunnel";
    private static final List<String> WAYPOINT_LABELS = List.of("loam.io/use-waypoint", "istio.io/use-waypoint");

    private final ClusterState cluster;
    private final MeshSettings settings;
    private final List<Problem> problems;
    private final Map<String, Locality> localities = new HashMap<>();
    private final Map<String, TrafficDistribution> distributions = new HashMap<>();

    private MeshCompiler(ClusterState cluster, MeshSettings settings) {
        this.cluster = cluster;
        this.settings = settings;
        this.problems = new ArrayList<>(MeshChecks.check(cluster.objects()));
        cluster.objects(NodeObject.class)
                .forEach(node -> localities.put(node.meta().name(), node.locality()));
        cluster.objects(NamespaceObject.class).forEach(namespace -> {
            var written = namespace.meta().annotations().get(TrafficDistribution.ANNOTATION);
            if (written != null) {
                TrafficDistribution.parse(written)
                        .ifPresent(value -> distributions.put(namespace.meta().name(), value));
            }
        });
    }

    /// Problems between documents ({@link MeshChecks}) are part of the answer, those inside one are not.
    public static CompiledMesh compile(ClusterState cluster, MeshSettings settings) {
        return new MeshCompiler(cluster, settings).compile();
    }

    private CompiledMesh compile() {
        var pods = cluster.pods().stream().filter(MeshCompiler::isEndpoint).toList();
        var index = LabelIndex.of(
                pods, RunningPod::namespace, pod -> pod.pod().meta().labels());
        var services = services();
        var portsByPod = ports(services, index);
        var policiesByPod = new IdentityHashMap<RunningPod, List<String>>();
        var policies = policies(index, policiesByPod);
        var strictTls = new StrictTls(
                cluster.objects(PeerAuthenticationObject.class).toList(), settings.rootNamespaces(), problems);
        var workloads = new ArrayList<Workload>();
        for (var pod : pods) {
            var names = new ArrayList<>(policiesByPod.getOrDefault(pod, List.of()));
            strictTls.policyFor(pod.namespace(), pod.pod().meta().labels()).ifPresent(names::add);
            workloads.add(workload(pod, portsByPod.getOrDefault(pod, Map.of()), names));
        }
        policies.addAll(strictTls.policies());
        warnOfWaypoints();
        workloads.sort(Comparator.comparing(Workload::uid));
        policies.sort(Comparator.comparing(AuthorizationPolicy::key));
        return new CompiledMesh(workloads, compiled(services), policies, problems);
    }

    /// A pod that has ended, or has no network yet, is nobody's peer.
    private static boolean isEndpoint(RunningPod pod) {
        return switch (pod.phase()) {
            case PENDING, RUNNING -> !pod.ips().isEmpty();
            case SUCCEEDED, FAILED -> false;
        };
    }

    private List<ServiceObject> services() {
        return cluster.objects(ServiceObject.class)
                .filter(service -> switch (service.type()) {
                    case CLUSTER_IP, NODE_PORT, LOAD_BALANCER -> true;
                    case EXTERNAL_NAME -> false; // an alias in DNS, nothing connects to it
                })
                .toList();
    }

    private List<Service> compiled(List<ServiceObject> services) {
        return services.stream()
                .map(service -> ServiceCompiler.compile(
                        service,
                        distributions.getOrDefault(service.meta().namespace(), TrafficDistribution.UNSPECIFIED),
                        settings))
                .sorted(Comparator.comparing(service -> service.key().toString()))
                .toList();
    }

    private Map<RunningPod, Map<NamespacedHostname, List<ServicePort>>> ports(
            List<ServiceObject> services, LabelIndex<RunningPod> index) {
        var portsByPod = new IdentityHashMap<RunningPod, Map<NamespacedHostname, List<ServicePort>>>();
        for (var service : services) {
            var key = ServiceCompiler.key(service, settings);
            for (var pod : index.select(service.meta().namespace(), service.selector())) {
                portsByPod
                        .computeIfAbsent(pod, _ -> new HashMap<>())
                        .put(key, ServiceCompiler.portsOf(service, pod.pod().spec()));
            }
        }
        return portsByPod;
    }

    private List<AuthorizationPolicy> policies(
            LabelIndex<RunningPod> index, Map<RunningPod, List<String>> policiesByPod) {
        var roots = Set.copyOf(settings.rootNamespaces());
        var policies = new ArrayList<AuthorizationPolicy>();
        cluster.objects(AuthorizationPolicyObject.class).forEach(object -> {
            var compiled = AuthorizationCompiler.compile(object, roots, problems);
            if (compiled.isEmpty()) {
                return;
            }
            policies.add(compiled.get());
            var namespace = object.meta().namespace();
            var selected = roots.contains(namespace)
                    ? index.selectEverywhere(object.selector())
                    : index.select(namespace, object.selector());
            for (var pod : selected) {
                policiesByPod
                        .computeIfAbsent(pod, _ -> new ArrayList<>())
                        .add(compiled.get().key());
            }
        });
        policiesByPod.values().forEach(names -> names.sort(Comparator.naturalOrder()));
        return policies;
    }

    private Workload workload(
            RunningPod pod, Map<NamespacedHostname, List<ServicePort>> services, List<String> policies) {
        var meta = pod.pod().meta();
        var spec = pod.pod().spec();
        var owner = pod.owner();
        var workloadName = owner == null ? meta.name() : owner.name();
        boolean nativeTunnel = "http".equals(meta.labels().get(TUNNEL_LABEL));
        boolean tunnel = nativeTunnel || (pod.redirected() && !spec.hostNetwork());
        return new Workload(
                settings.clusterId() + "//Pod/" + meta.namespace() + "/" + meta.name(),
                meta.name(),
                meta.namespace(),
                pod.ips(),
                "",
                settings.network(),
                tunnel ? TunnelProtocol.HBONE : TunnelProtocol.NONE,
                settings.trustDomain(),
                spec.serviceAccountName(),
                null,
                null,
                pod.node(),
                firstLabel(meta.labels(), NAME_LABELS, workloadName),
                firstLabel(meta.labels(), REVISION_LABELS, LATEST),
                type(owner),
                workloadName,
                nativeTunnel,
                null,
                services,
                policies,
                pod.ready() && !pod.terminating() ? Status.HEALTHY : Status.UNHEALTHY,
                settings.clusterId(),
                localities.getOrDefault(pod.node(), Locality.UNKNOWN),
                spec.hostNetwork() ? NetworkMode.HOST_NETWORK : NetworkMode.STANDARD,
                1);
    }

    private static Workload.Type type(RunningPod.@Nullable Owner owner) {
        return switch (owner == null ? "Pod" : owner.kind()) {
            case "Deployment" -> Workload.Type.DEPLOYMENT;
            case "CronJob" -> Workload.Type.CRONJOB;
            case "Job" -> Workload.Type.JOB;
            default -> Workload.Type.POD;
        };
    }

    private static String firstLabel(Map<String, String> labels, List<String> keys, String fallback) {
        for (var key : keys) {
            var value = labels.get(key);
            if (value != null && !value.isEmpty()) {
                return value;
            }
        }
        return fallback;
    }

    /// The binding of waypoints is read, but none is bound yet: silence would let people believe in their HTTP
    /// policies.
    private void warnOfWaypoints() {
        for (MeshObject object : cluster.objects()) {
            for (var label : WAYPOINT_LABELS) {
                var waypoint = object.meta().labels().get(label);
                if (waypoint != null && !waypoint.equals("none")) {
                    var field = "metadata.labels[\"" + label + "\"]";
                    problems.add(new Problem(
                            Severity.WARNING,
                            object.meta().origin().of(field),
                            object.key().toString(),
                            field,
                            waypoint,
                            "none",
                            "there are no waypoints in this version, connections go straight to the workload"));
                }
            }
        }
    }
}
