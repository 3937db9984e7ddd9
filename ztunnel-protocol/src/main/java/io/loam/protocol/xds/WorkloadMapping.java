package io.loam.protocol.xds;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.service.ServicePort;
import io.loam.model.workload.ApplicationTunnel;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.NetworkMode;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import io.loam.protocol.proto.loam.Egress;
import io.loam.protocol.proto.workload.Extension;
import io.loam.protocol.proto.workload.PortList;
import io.loam.protocol.proto.workload.WorkloadStatus;
import io.loam.protocol.proto.workload.WorkloadType;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Workloads on the wire (wire reference, 4.3). Values that the wire leaves out for being usual are filled in,
/// and left out again.
public final class WorkloadMapping {
    /// Of a workload's extensions, which Istio's proxies ignore: they do not hold back egress.
    private static final String EGRESS_EXTENSION = "loam.io/egress";

    private static final String EGRESS_TYPE = "type.googleapis.com/loam.v1.Egress";

    private WorkloadMapping() {}

    /// @throws InvalidResourceException if the workload cannot be used
    public static Workload toModel(io.loam.protocol.proto.workload.Workload message) {
        var fields = new ResourceFields(message.getUid().isEmpty() ? "(workload without uid)" : message.getUid());
        return new Workload(
                fields.required("uid", message.getUid()),
                message.getName(),
                message.getNamespace(),
                IntStream.range(0, message.getAddressesCount())
                        .mapToObj(i -> fields.address("addresses[" + i + "]", message.getAddresses(i)))
                        .toList(),
                message.getHostname(),
                message.getNetwork(),
                tunnel(fields, message),
                orDefault(message.getTrustDomain(), Workload.DEFAULT_TRUST_DOMAIN),
                orDefault(message.getServiceAccount(), Workload.DEFAULT_SERVICE_ACCOUNT),
                message.hasWaypoint() ? fields.gateway("waypoint", message.getWaypoint()) : null,
                message.hasNetworkGateway() ? fields.gateway("network_gateway", message.getNetworkGateway()) : null,
                message.getNode(),
                message.getCanonicalName(),
                message.getCanonicalRevision(),
                type(fields, message),
                message.getWorkloadName(),
                message.getNativeTunnel(),
                message.hasApplicationTunnel() ? applicationTunnel(fields, message.getApplicationTunnel()) : null,
                services(fields, message.getServicesMap()),
                message.getAuthorizationPoliciesList(),
                status(fields, message),
                orDefault(message.getClusterId(), Workload.DEFAULT_CLUSTER),
                new Locality(
                        message.getLocality().getRegion(),
                        message.getLocality().getZone(),
                        message.getLocality().getSubzone()),
                networkMode(fields, message),
                message.hasCapacity()
                        ? fields.weight("capacity", message.getCapacity().getValue())
                        : 1,
                egress(fields, message));
    }

    public static io.loam.protocol.proto.workload.Workload toProto(Workload workload) {
        var message = io.loam.protocol.proto.workload.Workload.newBuilder()
                .setUid(workload.uid())
                .setName(workload.name())
                .setNamespace(workload.namespace())
                .addAllAddresses(workload.addresses().stream()
                        .map(ResourceFields::toProto)
                        .toList())
                .setHostname(workload.hostname())
                .setNetwork(workload.network())
                .setTunnelProtocol(
                        switch (workload.tunnel()) {
                            case NONE -> io.loam.protocol.proto.workload.TunnelProtocol.NONE;
                            case HBONE -> io.loam.protocol.proto.workload.TunnelProtocol.HBONE;
                        })
                .setTrustDomain(elided(workload.trustDomain(), Workload.DEFAULT_TRUST_DOMAIN))
                .setServiceAccount(elided(workload.serviceAccount(), Workload.DEFAULT_SERVICE_ACCOUNT))
                .setNode(workload.node())
                .setCanonicalName(workload.canonicalName())
                .setCanonicalRevision(workload.canonicalRevision())
                .setWorkloadType(
                        switch (workload.type()) {
                            case DEPLOYMENT -> WorkloadType.DEPLOYMENT;
                            case CRONJOB -> WorkloadType.CRONJOB;
                            case POD -> WorkloadType.POD;
                            case JOB -> WorkloadType.JOB;
                        })
                .setWorkloadName(workload.workloadName())
                .setNativeTunnel(workload.nativeTunnel())
                .addAllAuthorizationPolicies(workload.authorizationPolicies())
                .setStatus(
                        switch (workload.status()) {
                            case HEALTHY -> WorkloadStatus.HEALTHY;
                            case UNHEALTHY -> WorkloadStatus.UNHEALTHY;
                        })
                .setClusterId(elided(workload.clusterId(), Workload.DEFAULT_CLUSTER))
                .setNetworkMode(
                        switch (workload.networkMode()) {
                            case STANDARD -> io.loam.protocol.proto.workload.NetworkMode.STANDARD;
                            case HOST_NETWORK -> io.loam.protocol.proto.workload.NetworkMode.HOST_NETWORK;
                        });
        // sorted, so that equal workloads have equal bytes: versions are hashes of them
        new TreeMap<>(workload.services().entrySet().stream()
                        .collect(Collectors.toMap(entry -> entry.getKey().toString(), Map.Entry::getValue)))
                .forEach((key, ports) -> message.putServices(
                        key,
                        PortList.newBuilder()
                                .addAllPorts(ResourceFields.toProto(ports))
                                .build()));
        if (workload.waypoint() != null) {
            message.setWaypoint(ResourceFields.toProto(workload.waypoint()));
        }
        if (workload.networkGateway() != null) {
            message.setNetworkGateway(ResourceFields.toProto(workload.networkGateway()));
        }
        if (workload.applicationTunnel() != null) {
            message.setApplicationTunnel(toProto(workload.applicationTunnel()));
        }
        if (!workload.locality().equals(Locality.UNKNOWN)) {
            message.getLocalityBuilder()
                    .setRegion(workload.locality().region())
                    .setZone(workload.locality().zone())
                    .setSubzone(workload.locality().subzone());
        }
        if (workload.capacity() != 1) {
            message.getCapacityBuilder().setValue(workload.capacity());
        }
        if (workload.egress() != Workload.Egress.ALLOW_ANY) {
            message.addExtensions(Extension.newBuilder()
                    .setName(EGRESS_EXTENSION)
                    .setConfig(packed(Egress.newBuilder().setPolicy(Egress.Policy.REGISTRY_ONLY))));
        }
        return message.build();
    }

    private static Any packed(Egress.Builder egress) {
        return Any.newBuilder()
                .setTypeUrl(EGRESS_TYPE)
                .setValue(egress.build().toByteString())
                .build();
    }

    /// Extensions of other names are other people's; one of ours that cannot be read is refused, so that no
    /// workload is let out for a mistake on the way.
    private static Workload.Egress egress(ResourceFields fields, io.loam.protocol.proto.workload.Workload message) {
        for (int i = 0; i < message.getExtensionsCount(); i++) {
            var extension = message.getExtensions(i);
            if (!extension.getName().equals(EGRESS_EXTENSION)) {
                continue;
            }
            var field = "extensions[" + i + "].config";
            var config = extension.getConfig();
            if (!config.getTypeUrl().equals(EGRESS_TYPE)) {
                throw fields.invalid(field + ".type_url", "\"" + config.getTypeUrl() + "\"", EGRESS_TYPE);
            }
            try {
                var egress = Egress.parseFrom(config.getValue());
                return switch (egress.getPolicy()) {
                    case ALLOW_ANY -> Workload.Egress.ALLOW_ANY;
                    case REGISTRY_ONLY -> Workload.Egress.REGISTRY_ONLY;
                    case UNRECOGNIZED ->
                        throw fields.invalid(field + ".policy", egress.getPolicyValue(), "ALLOW_ANY or REGISTRY_ONLY");
                };
            } catch (InvalidProtocolBufferException e) {
                throw fields.invalid(field + ".value", String.valueOf(e.getMessage()), "a loam.v1.Egress message");
            }
        }
        return Workload.Egress.ALLOW_ANY;
    }

    /// Peers of the one remaining protocol would be sent plaintext or HBONE they do not speak, so it is refused.
    private static TunnelProtocol tunnel(ResourceFields fields, io.loam.protocol.proto.workload.Workload message) {
        return switch (message.getTunnelProtocol()) {
            case NONE -> TunnelProtocol.NONE;
            case HBONE -> TunnelProtocol.HBONE;
            case LEGACY_ISTIO_MTLS -> throw fields.invalid("tunnel_protocol", "LEGACY_ISTIO_MTLS", "NONE or HBONE");
            case UNRECOGNIZED ->
                throw fields.invalid("tunnel_protocol", message.getTunnelProtocolValue(), "NONE or HBONE");
        };
    }

    private static Workload.Type type(ResourceFields fields, io.loam.protocol.proto.workload.Workload message) {
        return switch (message.getWorkloadType()) {
            case DEPLOYMENT -> Workload.Type.DEPLOYMENT;
            case CRONJOB -> Workload.Type.CRONJOB;
            case POD -> Workload.Type.POD;
            case JOB -> Workload.Type.JOB;
            case UNRECOGNIZED -> throw fields.invalid("workload_type", message.getWorkloadTypeValue(), "0 to 3");
        };
    }

    private static Status status(ResourceFields fields, io.loam.protocol.proto.workload.Workload message) {
        return switch (message.getStatus()) {
            case HEALTHY -> Status.HEALTHY;
            case UNHEALTHY -> Status.UNHEALTHY;
            case UNRECOGNIZED -> throw fields.invalid("status", message.getStatusValue(), "HEALTHY or UNHEALTHY");
        };
    }

    private static NetworkMode networkMode(ResourceFields fields, io.loam.protocol.proto.workload.Workload message) {
        return switch (message.getNetworkMode()) {
            case STANDARD -> NetworkMode.STANDARD;
            case HOST_NETWORK -> NetworkMode.HOST_NETWORK;
            case UNRECOGNIZED ->
                throw fields.invalid("network_mode", message.getNetworkModeValue(), "STANDARD or HOST_NETWORK");
        };
    }

    private static ApplicationTunnel applicationTunnel(
            ResourceFields fields, io.loam.protocol.proto.workload.ApplicationTunnel message) {
        return new ApplicationTunnel(
                switch (message.getProtocol()) {
                    case NONE -> ApplicationTunnel.Protocol.NONE;
                    case PROXY -> ApplicationTunnel.Protocol.PROXY;
                    case UNRECOGNIZED ->
                        throw fields.invalid(
                                "application_tunnel.protocol", message.getProtocolValue(), "NONE or PROXY");
                },
                fields.port("application_tunnel.port", message.getPort(), 0));
    }

    private static io.loam.protocol.proto.workload.ApplicationTunnel toProto(ApplicationTunnel tunnel) {
        return io.loam.protocol.proto.workload.ApplicationTunnel.newBuilder()
                .setProtocol(
                        switch (tunnel.protocol()) {
                            case NONE -> io.loam.protocol.proto.workload.ApplicationTunnel.Protocol.NONE;
                            case PROXY -> io.loam.protocol.proto.workload.ApplicationTunnel.Protocol.PROXY;
                        })
                .setPort(tunnel.port())
                .build();
    }

    private static Map<NamespacedHostname, List<ServicePort>> services(
            ResourceFields fields, Map<String, PortList> services) {
        return services.entrySet().stream()
                .collect(Collectors.toMap(
                        entry -> serviceKey(fields, entry.getKey()),
                        entry -> fields.ports(
                                "services[" + entry.getKey() + "].ports",
                                entry.getValue().getPortsList())));
    }

    private static NamespacedHostname serviceKey(ResourceFields fields, String key) {
        int slash = key.indexOf('/');
        if (slash < 0 || slash == key.length() - 1) {
            throw fields.invalid("services", "\"" + key + "\"", "namespace/hostname");
        }
        return new NamespacedHostname(key.substring(0, slash), key.substring(slash + 1));
    }

    private static String orDefault(String value, String usual) {
        return value.isEmpty() ? usual : value;
    }

    private static String elided(String value, String usual) {
        return value.equals(usual) ? "" : value;
    }
}
