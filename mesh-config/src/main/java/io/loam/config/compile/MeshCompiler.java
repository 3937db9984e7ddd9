package io.loam.config.compile;

import io.loam.config.check.MeshChecks;
import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.LabelIndex;
import io.loam.config.cluster.RunningPod;
import io.loam.config.object.AuthorizationPolicyObject;
import io.loam.config.object.GatewayObject;
import io.loam.config.object.MeshObject;
import io.loam.config.object.NamespaceObject;
import io.loam.config.object.NodeObject;
import io.loam.config.object.ObjectMeta;
import io.loam.config.object.PeerAuthenticationObject;
import io.loam.config.object.ServiceObject;
import io.loam.config.object.ServiceObject.TrafficDistribution;
import io.loam.config.object.WorkloadEntryObject;
import io.loam.config.object.WorkloadEntrySpec;
import io.loam.config.problem.Problem;
import io.loam.model.address.GatewayAddress;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.enrolment.Enrolment;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.service.Service;
import io.loam.model.service.ServicePort;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Egress;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
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
        var members = members();
        var index = LabelIndex.of(members, Member::namespace, Member::labels);
        var services = services();
        var keys = new HashSet<NamespacedHostname>();
        services.forEach(service -> keys.add(ServiceCompiler.key(service, settings)));
        var waypoints = new Waypoints(cluster, settings, problems);
        var entries = new ServiceEntries(cluster, keys, settings, problems);
        var portsByMember = ports(services, index);
        entries.select(index, portsByMember);
        var compiledServices = compiled(services, entries, waypoints);
        for (var gateway : waypoints.withoutService(keys)) {
            var key = waypoints.hostOf(Waypoints.nameOf(gateway));
            compiledServices.add(ServiceCompiler.ofWaypoint(gateway, key));
            for (var pod : index.select(
                    gateway.meta().namespace(),
                    Map.of(GatewayObject.NAME_LABEL, gateway.meta().name()))) {
                portsByMember.computeIfAbsent(pod, _ -> new HashMap<>()).put(key, ServiceCompiler.WAYPOINT_PORTS);
            }
        }
        var policiesByMember = new IdentityHashMap<Member, List<String>>();
        var policies = policies(index, policiesByMember);
        var strictTls = new StrictTls(
                cluster.objects(PeerAuthenticationObject.class).toList(), settings.rootNamespaces(), problems);
        var guard = new WaypointGuard(bindings(services, entries, waypoints));
        var egress = new EgressPolicies(cluster, settings.rootNamespaces(), problems);
        var workloads = new ArrayList<Workload>();
        for (var member : members) {
            var itsServices = portsByMember.getOrDefault(member, Map.of());
            var names = new ArrayList<>(policiesByMember.getOrDefault(member, List.of()));
            strictTls.policyFor(member.namespace(), member.labels()).ifPresent(names::add);
            var binding = waypoints.ofWorkload(objectOf(member), member.labels());
            if (!waypoints.isWaypoint(member.namespace(), member.labels())) {
                names.addAll(guard.policiesFor(member.namespace(), binding, itsServices));
            }
            workloads.add(
                    switch (member) {
                        case Member.OfPod(var pod) ->
                            workload(
                                    pod,
                                    itsServices,
                                    names,
                                    binding.waypoint(),
                                    waypoints.isWaypoint(member.namespace(), member.labels()),
                                    egress.of(member));
                        case Member.OfEntry(var entry, var labels) ->
                            workload(
                                    settings.clusterId() + "/networking.istio.io/WorkloadEntry/"
                                            + entry.meta().namespace() + "/"
                                            + entry.meta().name(),
                                    entry.meta(),
                                    labels,
                                    entry.spec(),
                                    itsServices,
                                    names,
                                    binding.waypoint());
                    });
        }
        for (var endpoint : entries.endpoints()) {
            workloads.add(workload(
                    endpoint.uid(),
                    endpoint.entry().meta(),
                    endpoint.spec().labels(),
                    endpoint.spec(),
                    endpoint.services(),
                    List.of(),
                    null));
        }
        policies.addAll(strictTls.policies());
        policies.addAll(guard.policies());
        workloads.sort(Comparator.comparing(Workload::uid));
        compiledServices.sort(Comparator.comparing(service -> service.key().toString()));
        policies.sort(Comparator.comparing(AuthorizationPolicy::key));
        return new CompiledMesh(workloads, compiledServices, policies, problems);
    }

    private List<Member> members() {
        var members = new ArrayList<Member>();
        for (var pod : cluster.pods()) {
            if (isEndpoint(pod)) {
                members.add(new Member.OfPod(pod));
            }
        }
        cluster.objects(WorkloadEntryObject.class)
                .forEach(entry -> members.add(new Member.OfEntry(entry, entry.labels())));
        return members;
    }

    private static MeshObject objectOf(Member member) {
        return switch (member) {
            case Member.OfPod(var pod) -> pod.pod();
            case Member.OfEntry(var entry, var _) -> entry;
        };
    }

    private Map<NamespacedHostname, Waypoints.Binding> bindings(
            List<ServiceObject> services, ServiceEntries entries, Waypoints waypoints) {
        var bindings = new HashMap<NamespacedHostname, Waypoints.Binding>();
        for (var service : services) {
            bindings.put(ServiceCompiler.key(service, settings), waypoints.ofService(service));
        }
        for (var host : entries.hosts()) {
            bindings.put(host.key(), waypoints.ofService(host.entry()));
        }
        return bindings;
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

    private List<Service> compiled(List<ServiceObject> services, ServiceEntries entries, Waypoints waypoints) {
        var compiled = new ArrayList<Service>();
        for (var service : services) {
            compiled.add(ServiceCompiler.compile(service, distribution(service), waypoints, settings));
        }
        for (var host : entries.hosts()) {
            compiled.add(ServiceCompiler.compile(host, distribution(host.entry()), waypoints, settings));
        }
        return compiled;
    }

    private TrafficDistribution distribution(MeshObject object) {
        return distributions.getOrDefault(object.meta().namespace(), TrafficDistribution.UNSPECIFIED);
    }

    private Map<Member, Map<NamespacedHostname, List<ServicePort>>> ports(
            List<ServiceObject> services, LabelIndex<Member> index) {
        var portsByMember = new IdentityHashMap<Member, Map<NamespacedHostname, List<ServicePort>>>();
        for (var service : services) {
            var key = ServiceCompiler.key(service, settings);
            for (var member : index.select(service.meta().namespace(), service.selector())) {
                portsByMember
                        .computeIfAbsent(member, _ -> new HashMap<>())
                        .put(
                                key,
                                switch (member) {
                                    case Member.OfPod(var pod) ->
                                        ServiceCompiler.portsOf(
                                                service, pod.pod().spec());
                                    case Member.OfEntry(var entry, var _) ->
                                        ServiceCompiler.portsOf(service, entry.spec());
                                });
            }
        }
        return portsByMember;
    }

    private List<AuthorizationPolicy> policies(LabelIndex<Member> index, Map<Member, List<String>> policiesByMember) {
        var roots = Set.copyOf(settings.rootNamespaces());
        var policies = new ArrayList<AuthorizationPolicy>();
        cluster.objects(AuthorizationPolicyObject.class).forEach(object -> {
            var compiled = AuthorizationCompiler.compile(object, settings, problems);
            if (compiled.isEmpty()) {
                return;
            }
            policies.add(compiled.get());
            var namespace = object.meta().namespace();
            var selected = roots.contains(namespace)
                    ? index.selectEverywhere(object.selector())
                    : index.select(namespace, object.selector());
            for (var pod : selected) {
                policiesByMember
                        .computeIfAbsent(pod, _ -> new ArrayList<>())
                        .add(compiled.get().key());
            }
        });
        policiesByMember.values().forEach(names -> names.sort(Comparator.naturalOrder()));
        return policies;
    }

    private Workload workload(
            RunningPod pod,
            Map<NamespacedHostname, List<ServicePort>> services,
            List<String> policies,
            @Nullable GatewayAddress waypoint,
            boolean isWaypoint,
            Egress egress) {
        var meta = pod.pod().meta();
        var spec = pod.pod().spec();
        var owner = pod.owner();
        var workloadName = owner == null ? meta.name() : owner.name();
        boolean nativeTunnel = speaksHbone(meta.labels()) || (isWaypoint && !pod.redirected());
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
                waypoint,
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
                1,
                egress);
    }

    /// An endpoint that is no pod. It is not probed, so it counts as ready.
    private Workload workload(
            String uid,
            ObjectMeta meta,
            Map<String, String> labels,
            WorkloadEntrySpec spec,
            Map<NamespacedHostname, List<ServicePort>> services,
            List<String> policies,
            @Nullable GatewayAddress waypoint) {
        boolean tunnel = speaksHbone(labels);
        return new Workload(
                uid,
                meta.name(),
                meta.namespace(),
                spec.addresses(),
                spec.hostname(),
                spec.network().isEmpty() ? settings.network() : spec.network(),
                tunnel ? TunnelProtocol.HBONE : TunnelProtocol.NONE,
                settings.trustDomain(),
                spec.serviceAccount().isEmpty() ? Workload.DEFAULT_SERVICE_ACCOUNT : spec.serviceAccount(),
                waypoint,
                null,
                "",
                firstLabel(labels, NAME_LABELS, meta.name()),
                firstLabel(labels, REVISION_LABELS, LATEST),
                Workload.Type.POD,
                meta.name(),
                tunnel,
                null,
                services,
                policies,
                Status.HEALTHY,
                settings.clusterId(),
                spec.locality().orElse(Locality.UNKNOWN),
                NetworkMode.STANDARD,
                spec.weight(),
                Egress.ALLOW_ANY);
    }

    private static boolean speaksHbone(Map<String, String> labels) {
        return Enrolment.OWN_TUNNEL_MODE.equals(labels.get(Enrolment.OWN_TUNNEL_LABEL));
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
}
