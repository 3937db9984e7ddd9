package io.loam.agent.dump;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.loam.agent.connections.ConnectionRegistry;
import io.loam.agent.connections.OpenConnection;
import io.loam.agent.workload.WorkloadProxies;
import io.loam.model.address.GatewayAddress;
import io.loam.model.mesh.MeshView;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.Match;
import io.loam.model.service.Service;
import io.loam.model.service.ServicePort;
import io.loam.model.workload.Workload;
import io.loam.protocol.linux.OriginalAddress;
import io.loam.runtime.config.AgentConfig;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.identity.CertificateState;
import io.loam.runtime.xds.AddressDemand;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// `/config_dump`: the agent's whole view in the shape that `istioctl ztunnel-config` reads (wire reference, 8.3). No
/// private key is reachable from here: contexts hold them in native memory only (hazard I20).
public final class ConfigDump {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final Base64.Encoder PEM_LINES = Base64.getMimeEncoder(64, new byte[] {'\n'});

    private final ObjectMapper mapper = new ObjectMapper();
    private final AgentConfig config;
    private final String version;
    private final MeshView mesh;
    private final @Nullable AddressDemand demand;
    private final CertificateSource certificates;
    private final WorkloadProxies pods;
    private final ConnectionRegistry connections;

    /// @param demand what of the mesh is asked for; null: all of it
    public ConfigDump(
            AgentConfig config,
            String version,
            MeshView mesh,
            @Nullable AddressDemand demand,
            CertificateSource certificates,
            WorkloadProxies pods,
            ConnectionRegistry connections) {
        this.config = config;
        this.version = version;
        this.mesh = mesh;
        this.demand = demand;
        this.certificates = certificates;
        this.pods = pods;
        this.connections = connections;
    }

    /// Takes as long as the mesh is large; not for event loops.
    public String render() {
        var snapshot = mesh.current();
        var root = JSON.objectNode();
        var workloads = root.putArray("workloads");
        snapshot.workloads().forEach(workload -> workloads.add(workload(workload)));
        var services = root.putArray("services");
        for (var service : snapshot.services()) {
            var node = services.addObject();
            describe(node, service);
            var endpoints = node.putObject("endpoints");
            for (var entry : snapshot.endpoints(service.key())) {
                var endpoint = endpoints.putObject(entry.getKey());
                endpoint.put("workloadUid", entry.getKey());
                endpoint.put("service", "");
                ports(endpoint.putObject("port"), entry.getValue().ports());
                endpoint.put("status", word(entry.getValue().workload().status()));
            }
        }
        var policies = root.putArray("policies");
        snapshot.policies().forEach(policy -> policies.add(policy(policy)));
        root.putObject("stagedServices");
        root.putObject("staticConfig");
        if (demand != null) { // what stands above is not the whole mesh
            var names = root.putObject("onDemand");
            demand.states().forEach((name, state) -> {
                var known = names.putObject(name);
                known.put("answer", word(state.answer()));
                known.put("uses", state.uses());
            });
        }
        root.putObject("version").put("version", version);
        config(root.putObject("config"));
        var list = root.putArray("certificates");
        certificates.states().forEach(state -> list.add(certificate(state)));
        workloadState(root.putObject("workloadState"));
        try {
            return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(root);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of plain values is always JSON", e);
        }
    }

    private void config(ObjectNode node) {
        node.put("localNode", config.node().nodeName());
        node.put("clusterId", config.node().clusterId());
        node.put("network", config.node().network());
        node.put("trustDomain", config.node().trustDomain());
        node.put("xdsAddress", config.controlPlane().address().toString());
        node.put("caAddress", config.certificateAuthority().address().toString());
        node.put("numWorkerThreads", config.workers());
        node.put("packetMark", config.sockets().mark());
        node.put("inpodUds", config.zdsSocket().toString());
        node.put("secretTtl", config.certificateLifetime().toString());
        node.put("selfTerminationDeadline", config.drain().deadline().toString());
    }

    private static ObjectNode workload(Workload workload) {
        var node = JSON.objectNode();
        node.put("uid", workload.uid());
        var ips = node.putArray("workloadIps");
        workload.addresses().forEach(address -> ips.add(address.getHostAddress()));
        if (workload.waypoint() != null) {
            node.set("waypoint", gateway(workload.waypoint()));
        }
        if (workload.networkGateway() != null) {
            node.set("networkGateway", gateway(workload.networkGateway()));
        }
        node.put(
                "protocol",
                switch (workload.tunnel()) {
                    case NONE -> "TCP";
                    case HBONE -> "HBONE";
                });
        node.put("name", workload.name());
        node.put("namespace", workload.namespace());
        node.put("trustDomain", workload.trustDomain());
        node.put("serviceAccount", workload.serviceAccount());
        node.put("network", workload.network());
        node.put("workloadName", workload.workloadName());
        node.put("workloadType", workload.type().name().toLowerCase(Locale.ROOT));
        node.put("canonicalName", workload.canonicalName());
        node.put("canonicalRevision", workload.canonicalRevision());
        node.put("hostname", workload.hostname());
        node.put("node", workload.node());
        node.put("nativeTunnel", workload.nativeTunnel());
        node.put("status", word(workload.status()));
        node.put("clusterId", workload.clusterId());
        node.put("capacity", workload.capacity());
        var locality = node.putObject("locality");
        locality.put("region", workload.locality().region());
        locality.put("zone", workload.locality().zone());
        locality.put("subzone", workload.locality().subzone());
        strings(node.putArray("authorizationPolicies"), workload.authorizationPolicies());
        var services = node.putArray("services");
        workload.services().keySet().forEach(key -> services.add(key.toString()));
        return node;
    }

    private static void describe(ObjectNode node, Service service) {
        node.put("name", service.name());
        node.put("namespace", service.namespace());
        node.put("hostname", service.hostname());
        var vips = node.putArray("vips");
        service.addresses()
                .forEach(address -> vips.add(
                        address.network() + "/" + address.block().address().getHostAddress()));
        ports(node.putObject("ports"), service.ports());
        strings(node.putArray("subjectAltNames"), service.subjectAltNames());
        if (service.waypoint() != null) {
            node.set("waypoint", gateway(service.waypoint()));
        }
        var balancing = node.putObject("loadBalancer");
        balancing.put("mode", word(service.loadBalancing().mode()));
        var preferences = balancing.putArray("routingPreferences");
        service.loadBalancing().preferences().forEach(scope -> preferences.add(word(scope)));
        balancing.put("healthPolicy", word(service.loadBalancing().health()));
        node.put("ipFamilies", service.ipFamilies().name());
        node.put("canonical", service.canonical());
    }

    private static void ports(ObjectNode node, List<ServicePort> ports) {
        ports.forEach(port -> node.put(Integer.toString(port.servicePort()), port.targetPort()));
    }

    private static ObjectNode gateway(GatewayAddress gateway) {
        var node = JSON.objectNode();
        switch (gateway.destination()) {
            case GatewayAddress.Destination.ByHostname(var service) -> {
                var hostname = node.putObject("destination").putObject("hostname");
                hostname.put("namespace", service.namespace());
                hostname.put("hostname", service.hostname());
            }
            case GatewayAddress.Destination.ByAddress(var address) -> node.put("destination", address.toString());
        }
        node.put("hboneMtlsPort", gateway.hbonePort());
        return node;
    }

    private static ObjectNode policy(AuthorizationPolicy policy) {
        var node = JSON.objectNode();
        node.put("name", policy.name());
        node.put("namespace", policy.namespace());
        node.put("scope", word(policy.scope()));
        node.put("action", word(policy.action()));
        node.put("dryRun", policy.dryRun());
        var rules = node.putArray("rules");
        for (var rule : policy.rules()) {
            var clauses = rules.addArray();
            for (var clause : rule.clauses()) {
                var matches = clauses.addArray();
                for (Match match : clause.matches()) {
                    matches.add(match.toString());
                }
            }
        }
        return node;
    }

    private static ObjectNode certificate(CertificateState state) {
        var node = JSON.objectNode();
        node.put("identity", state.identity().toString());
        var current = state.current();
        var error = state.lastError();
        node.put("state", current != null ? "Available" : error == null ? "Initializing" : "Unavailable: " + error);
        var chain = node.putArray("certChain");
        var roots = node.putArray("rootCerts");
        if (current != null) {
            current.chain().forEach(certificate -> chain.add(certificate(certificate)));
            current.roots().forEach(certificate -> roots.add(certificate(certificate)));
        }
        return node;
    }

    private static ObjectNode certificate(X509Certificate certificate) {
        var node = JSON.objectNode();
        try {
            var pem = "-----BEGIN CERTIFICATE-----\n" + PEM_LINES.encodeToString(certificate.getEncoded())
                    + "\n-----END CERTIFICATE-----\n";
            node.put("pem", Base64.getEncoder().encodeToString(pem.getBytes(StandardCharsets.US_ASCII)));
        } catch (CertificateEncodingException e) {
            throw new IllegalStateException("a certificate that was read can be written", e);
        }
        node.put("serialNumber", certificate.getSerialNumber().toString());
        node.put("validFrom", certificate.getNotBefore().toInstant().toString());
        node.put("expirationTime", certificate.getNotAfter().toInstant().toString());
        return node;
    }

    private void workloadState(ObjectNode states) {
        for (var state : pods.states()) {
            var pod = state.pod();
            var node = states.putObject(pod.uid());
            node.put("state", state.up() ? "Up" : "Pending");
            var info = node.putObject("info");
            info.put("name", pod.info().name());
            info.put("namespace", pod.info().namespace());
            info.put("serviceAccount", pod.info().serviceAccount());
            var open = node.putObject("connections");
            open.putArray("inbound");
            open.putArray("outbound");
        }
        for (var connection : connections.all()) {
            if (states.get(connection.pod().uid()) instanceof ObjectNode node) {
                add((ObjectNode) Objects.requireNonNull(node.get("connections")), connection);
            }
        }
    }

    private static void add(ObjectNode lists, OpenConnection connection) {
        var report = connection.report();
        boolean inbound = connection.attributes() != null;
        var list = (ArrayNode) Objects.requireNonNull(lists.get(inbound ? "inbound" : "outbound"));
        var node = list.addObject();
        node.put("src", text(report.sourceAddress()));
        var target = report.tunnelTarget();
        var actual = text(report.destinationAddress());
        node.put("originalDst", target == null ? actual : target);
        node.put("actualDst", actual);
        node.put("protocol", target == null ? "TCP" : "HBONE");
    }

    static String text(@Nullable InetSocketAddress address) {
        if (address == null || address.getAddress() == null) {
            return "";
        }
        var folded = OriginalAddress.folded(address);
        var host = folded.getAddress().getHostAddress();
        return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + folded.getPort();
    }

    private static void strings(ArrayNode node, List<String> values) {
        values.forEach(node::add);
    }

    /// `ONLY_HEALTHY` → `OnlyHealthy`, as ztunnel spells its enums.
    private static String word(Enum<?> value) {
        var out = new StringBuilder();
        for (var part : value.name().split("_")) {
            out.append(part.charAt(0)).append(part.substring(1).toLowerCase(Locale.ROOT));
        }
        return out.toString();
    }
}
