package io.loam.config.compile;

import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.LabelIndex;
import io.loam.config.object.MeshObject;
import io.loam.config.object.ObjectMeta;
import io.loam.config.object.ServiceEntryObject;
import io.loam.config.object.ServiceEntryObject.Location;
import io.loam.config.object.ServiceEntryObject.Resolution;
import io.loam.config.object.WorkloadEntrySpec;
import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.service.ServicePort.AppProtocol;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// ServiceEntries as services, one for each host, and their endpoints (wire reference, 3.1, 3.4 and 4.3).
final class ServiceEntries {
    /// The label by which Istio's users do without made-up addresses.
    private static final String AUTO_ADDRESS_LABEL = "networking.istio.io/enable-autoallocate-ip";

    private static final Comparator<ServiceEntryObject> OLDEST_FIRST = Comparator.comparing(
            ServiceEntryObject::meta,
            Comparator.comparing(ObjectMeta::created, Comparator.nullsLast(Comparator.naturalOrder()))
                    .thenComparing(ObjectMeta::namespace)
                    .thenComparing(ObjectMeta::name));

    private final List<Host> hosts = new ArrayList<>();
    private final MeshSettings settings;
    private final List<Problem> problems;

    /// One host of one entry.
    ///
    /// @param addresses written or made up
    /// @param visibility its own namespace's only if the entry says so, or takes what others have already
    record Host(
            ServiceEntryObject entry,
            NamespacedHostname key,
            List<ServiceAddress> addresses,
            Service.Visibility visibility) {
        List<ServicePort> ports() {
            return entry.ports().stream()
                    .map(port -> new ServicePort(port.number(), port.targetPort(), protocol(port)))
                    .toList();
        }
    }

    /// An endpoint that is written inside of entries, or is the host itself.
    ///
    /// @param services the hosts that lead to it, with its ports
    record Endpoint(
            String uid,
            ServiceEntryObject entry,
            WorkloadEntrySpec spec,
            Map<NamespacedHostname, List<ServicePort>> services) {}

    /// @param taken the services that Kubernetes knows: they win
    ServiceEntries(ClusterState cluster, Set<NamespacedHostname> taken, MeshSettings settings, List<Problem> problems) {
        this.settings = settings;
        this.problems = problems;
        var seen = new HashMap<NamespacedHostname, ServiceEntryObject>();
        var tenancy = new HostTenancy(settings);
        var made = new EntryAddresses();
        cluster.objects(ServiceEntryObject.class).sorted(OLDEST_FIRST).forEach(entry -> {
            for (var host : entry.hosts()) {
                var key = new NamespacedHostname(entry.meta().namespace(), host);
                var first = seen.get(key);
                if (taken.contains(key)) {
                    warn(entry, host, "a host that is no Service of this namespace", "the Service is used");
                } else if (first != null) {
                    warn(
                            entry,
                            host,
                            "a host that is not taken in this namespace",
                            "the one of " + first.key() + " at " + first.meta().position() + " is used");
                } else {
                    seen.put(key, entry);
                    var addresses = addresses(entry, key, made);
                    var visibility =
                            entry.exportedEverywhere() ? Service.Visibility.PUBLIC : Service.Visibility.NAMESPACE;
                    if (entry.exportedEverywhere()) {
                        var expected = tenancy.objectionTo(entry, host, addresses);
                        if (expected != null) {
                            warn(entry, host, expected, "only pods of its own namespace see this entry");
                            visibility = Service.Visibility.NAMESPACE;
                        }
                    }
                    hosts.add(new Host(entry, key, addresses, visibility));
                }
            }
        });
    }

    List<Host> hosts() {
        return hosts;
    }

    private List<ServiceAddress> addresses(ServiceEntryObject entry, NamespacedHostname key, EntryAddresses made) {
        if (!entry.addresses().isEmpty()) {
            return entry.addresses().stream()
                    .map(block -> new ServiceAddress(settings.network(), block))
                    .toList();
        }
        boolean wanted = !"false".equals(entry.meta().labels().get(AUTO_ADDRESS_LABEL));
        if (!wanted || entry.resolution() == Resolution.NONE || key.hostname().startsWith("*")) {
            return List.of();
        }
        return made.give(key).stream()
                .map(ip -> new ServiceAddress(settings.network(), CidrBlock.host(ip)))
                .toList();
    }

    /// Adds the services that entries give to pods and WorkloadEntries by their selectors.
    void select(LabelIndex<Member> index, Map<Member, Map<NamespacedHostname, List<ServicePort>>> portsByMember) {
        for (var host : hosts) {
            var entry = host.entry();
            for (var member : index.select(entry.meta().namespace(), entry.workloadSelector())) {
                var ports = switch (member) {
                    case Member.OfPod _ -> host.ports();
                    case Member.OfEntry(var selected, var _) -> ports(entry, selected.spec());
                };
                portsByMember.computeIfAbsent(member, _ -> new HashMap<>()).put(host.key(), ports);
            }
        }
    }

    /// Those that are written inside of entries. An entry that is resolved by name and names no endpoint is
    /// one itself.
    List<Endpoint> endpoints() {
        var endpoints = new ArrayList<Endpoint>();
        var hostsByEntry = new LinkedHashMap<ServiceEntryObject, List<Host>>();
        hosts.forEach(host -> hostsByEntry
                .computeIfAbsent(host.entry(), _ -> new ArrayList<>())
                .add(host));
        hostsByEntry.forEach((entry, itsHosts) -> {
            var uids = new HashSet<String>();
            for (var spec : entry.endpoints()) {
                var services = new HashMap<NamespacedHostname, List<ServicePort>>();
                itsHosts.forEach(host -> services.put(host.key(), ports(entry, spec)));
                endpoints.add(new Endpoint(uid(entry, spec.where(), uids), entry, spec, services));
            }
            if (entry.resolution().byName()
                    && entry.endpoints().isEmpty()
                    && entry.workloadSelector().isEmpty()) {
                for (var host : itsHosts) {
                    var itself = new WorkloadEntrySpec(
                            Optional.empty(), host.key().hostname(), Map.of(), Map.of(), "", Optional.empty(), 1, "");
                    endpoints.add(new Endpoint(
                            uid(entry, itself.where(), uids), entry, itself, Map.of(host.key(), host.ports())));
                }
            }
        });
        return endpoints;
    }

    /// By address, as the reference has it; an address that stands there twice gets a number.
    private String uid(ServiceEntryObject entry, String where, Set<String> taken) {
        var base = settings.clusterId() + "/networking.istio.io/ServiceEntry/"
                + entry.meta().namespace() + "/" + entry.meta().name() + "/" + where;
        var uid = base;
        for (int i = 2; !taken.add(uid); i++) {
            uid = base + "#" + i;
        }
        return uid;
    }

    private static List<ServicePort> ports(ServiceEntryObject entry, WorkloadEntrySpec endpoint) {
        return entry.ports().stream()
                .map(port -> new ServicePort(
                        port.number(), endpoint.ports().getOrDefault(port.name(), port.targetPort()), protocol(port)))
                .toList();
    }

    static boolean isInternal(ServiceEntryObject entry) {
        return entry.location() == Location.MESH_INTERNAL;
    }

    private static AppProtocol protocol(ServiceEntryObject.Port port) {
        return switch (port.protocol()) {
            case "HTTP" -> AppProtocol.HTTP11;
            case "HTTP2" -> AppProtocol.HTTP2;
            case "GRPC", "GRPC-WEB" -> AppProtocol.GRPC;
            case "HTTPS", "TLS" -> AppProtocol.TLS;
            default -> AppProtocol.TCP;
        };
    }

    private void warn(MeshObject entry, String host, String expected, String reason) {
        problems.add(new Problem(
                Severity.WARNING,
                entry.meta().origin().of("spec.hosts"),
                entry.key().toString(),
                "spec.hosts",
                host,
                expected,
                reason));
    }
}
