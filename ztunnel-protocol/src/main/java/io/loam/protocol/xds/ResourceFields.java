package io.loam.protocol.xds;

import com.google.protobuf.ByteString;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.GatewayAddress;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.address.NetworkAddress;
import io.loam.model.service.ServicePort;
import io.loam.model.service.ServicePort.AppProtocol;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Reads fields that several resources have, and refuses values with the path to them.
///
/// @param resource name of the resource that is being read
record ResourceFields(String resource) {
    private static final int HIGHEST_PORT = 65535;
    /// ::ffff:0:0/96: such addresses become IPv4, so a prefix loses as many bits.
    private static final int MAPPED_PREFIX_BITS = 96;

    InvalidResourceException invalid(String field, Object value, String expected) {
        return new InvalidResourceException(resource, field, String.valueOf(value), expected);
    }

    String required(String field, String value) {
        if (value.isEmpty()) {
            throw invalid(field, "\"\"", "not empty");
        }
        return value;
    }

    int port(String field, int value, int least) {
        long port = Integer.toUnsignedLong(value);
        if (port < least || port > HIGHEST_PORT) {
            throw invalid(field, port, least + " to " + HIGHEST_PORT);
        }
        return value;
    }

    /// Weights and capacities: unsigned on the wire, summed as long here.
    int weight(String field, int value) {
        if (value < 0) {
            throw invalid(field, Integer.toUnsignedLong(value), "0 to " + Integer.MAX_VALUE);
        }
        return value;
    }

    InetAddress address(String field, ByteString bytes) {
        try {
            return InetAddress.getByAddress(bytes.toByteArray());
        } catch (UnknownHostException _) { // the only reason it knows is the length
            throw invalid(
                    field, "0x" + HexFormat.of().formatHex(bytes.toByteArray()), "4 or 16 bytes, not " + bytes.size());
        }
    }

    /// @param length in bits, of the address as it stands on the wire; null for a host
    CidrBlock block(String field, ByteString bytes, @Nullable Integer length) {
        var address = address(field + ".address", bytes);
        if (length == null) {
            return CidrBlock.host(address);
        }
        int longest = bytes.size() * 8;
        int dropped = longest == 128 && address instanceof Inet4Address ? MAPPED_PREFIX_BITS : 0;
        long bits = Integer.toUnsignedLong(length);
        if (bits < dropped || bits > longest) {
            throw invalid(field + ".length", bits, dropped + " to " + longest);
        }
        return new CidrBlock(address, length - dropped);
    }

    List<ServicePort> ports(String field, List<io.loam.protocol.proto.workload.Port> ports) {
        return IntStream.range(0, ports.size())
                .mapToObj(i -> port(field + "[" + i + "]", ports.get(i)))
                .toList();
    }

    private ServicePort port(String field, io.loam.protocol.proto.workload.Port port) {
        return new ServicePort(
                port(field + ".service_port", port.getServicePort(), 1),
                port(field + ".target_port", port.getTargetPort(), 0),
                switch (port.getAppProtocol()) {
                    case HTTP11 -> AppProtocol.HTTP11;
                    case HTTP2 -> AppProtocol.HTTP2;
                    case GRPC -> AppProtocol.GRPC;
                    case TCP -> AppProtocol.TCP;
                    case TLS -> AppProtocol.TLS;
                    // a hint: one this version does not know yet changes nothing at L4
                    case UNKNOWN, UNRECOGNIZED -> AppProtocol.UNKNOWN;
                });
    }

    GatewayAddress gateway(String field, io.loam.protocol.proto.workload.GatewayAddress gateway) {
        int port = port(field + ".hbone_mtls_port", gateway.getHboneMtlsPort(), 0);
        return switch (gateway.getDestinationCase()) {
            case HOSTNAME ->
                new GatewayAddress(
                        new GatewayAddress.Destination.ByHostname(new NamespacedHostname(
                                gateway.getHostname().getNamespace(),
                                required(
                                        field + ".hostname.hostname",
                                        gateway.getHostname().getHostname()))),
                        port);
            case ADDRESS ->
                new GatewayAddress(
                        new GatewayAddress.Destination.ByAddress(new NetworkAddress(
                                gateway.getAddress().getNetwork(),
                                address(
                                        field + ".address.address",
                                        gateway.getAddress().getAddress()))),
                        port);
            case DESTINATION_NOT_SET -> throw invalid(field + ".destination", "none", "hostname or address");
        };
    }

    static List<io.loam.protocol.proto.workload.Port> toProto(List<ServicePort> ports) {
        return ports.stream()
                .map(port -> io.loam.protocol.proto.workload.Port.newBuilder()
                        .setServicePort(port.servicePort())
                        .setTargetPort(port.targetPort())
                        .setAppProtocol(
                                switch (port.protocol()) {
                                    case UNKNOWN -> io.loam.protocol.proto.workload.AppProtocol.UNKNOWN;
                                    case HTTP11 -> io.loam.protocol.proto.workload.AppProtocol.HTTP11;
                                    case HTTP2 -> io.loam.protocol.proto.workload.AppProtocol.HTTP2;
                                    case GRPC -> io.loam.protocol.proto.workload.AppProtocol.GRPC;
                                    case TCP -> io.loam.protocol.proto.workload.AppProtocol.TCP;
                                    case TLS -> io.loam.protocol.proto.workload.AppProtocol.TLS;
                                })
                        .build())
                .toList();
    }

    static io.loam.protocol.proto.workload.GatewayAddress toProto(GatewayAddress gateway) {
        var message =
                io.loam.protocol.proto.workload.GatewayAddress.newBuilder().setHboneMtlsPort(gateway.hbonePort());
        switch (gateway.destination()) {
            case GatewayAddress.Destination.ByHostname(var service) ->
                message.getHostnameBuilder().setNamespace(service.namespace()).setHostname(service.hostname());
            case GatewayAddress.Destination.ByAddress(var address) ->
                message.getAddressBuilder().setNetwork(address.network()).setAddress(toProto(address.address()));
        }
        return message.build();
    }

    static ByteString toProto(InetAddress address) {
        return ByteString.copyFrom(address.getAddress());
    }
}
