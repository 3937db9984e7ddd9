package io.loam.runtime.xds;

import com.google.protobuf.ByteString;
import io.loam.model.address.CidrBlock;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.Service;
import io.loam.model.service.ServiceAddress;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.protocol.proto.security.Authorization;
import io.loam.protocol.proto.workload.NetworkAddress;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What takes the place of a resource that cannot be read and of which no earlier version is known. Leaving it out
/// would open what it may have closed (hazards, rules 1 and 2): a DENY that is not there denies nobody, and an address
/// that is nobody's is dialled in plaintext. So each of these refuses, until the resource can be read or is gone.
final class StandIns {
    private StandIns() {}

    /// @param name of the resource, `namespace/name`
    /// @param message null if not even its bytes can be read
    /// @param rootNamespaces policies in others govern their own namespace at most
    /// @return empty where nothing is needed: a policy that its workloads name is missed there by its name, and a
    ///     dry run is not enforced
    static Optional<AuthorizationPolicy> policy(
            String name, @Nullable Authorization message, Set<String> rootNamespaces) {
        if (message != null && message.getDryRun()) {
            return Optional.empty();
        }
        int slash = name.indexOf('/');
        var namespace = slash < 0 ? "" : name.substring(0, slash);
        var widest = rootNamespaces.contains(namespace) ? Scope.GLOBAL : Scope.NAMESPACE;
        var scope = message == null ? Optional.of(widest) : scope(message.getScope(), widest);
        boolean allow = message != null && message.getAction() == io.loam.protocol.proto.security.Action.ALLOW;
        return scope.map(governed -> new AuthorizationPolicy(
                name.substring(slash + 1),
                namespace,
                governed,
                allow ? Action.ALLOW : Action.DENY,
                // An ALLOW without rules matches nobody, so others may still allow; a rule without clauses everybody.
                allow ? List.of() : List.of(new Rule(List.of())),
                false));
    }

    private static Optional<Scope> scope(io.loam.protocol.proto.security.Scope said, Scope widest) {
        return switch (said) {
            case GLOBAL -> Optional.of(Scope.GLOBAL);
            case NAMESPACE -> Optional.of(Scope.NAMESPACE);
            case WORKLOAD_SELECTOR -> Optional.empty();
            case UNRECOGNIZED -> Optional.of(widest);
        };
    }

    /// Owns the addresses and can prove no identity, so nobody connects to it.
    static Workload workload(String name, io.loam.protocol.proto.workload.Workload message) {
        return new Workload(
                name,
                "",
                "",
                message.getAddressesList().stream()
                        .map(StandIns::address)
                        .filter(Objects::nonNull)
                        .toList(),
                "",
                message.getNetwork(),
                Workload.TunnelProtocol.HBONE,
                Workload.DEFAULT_TRUST_DOMAIN,
                "",
                null,
                null,
                "",
                "",
                "",
                Workload.Type.POD,
                "",
                false,
                null,
                Map.of(),
                List.of(),
                Workload.Status.UNHEALTHY,
                Workload.DEFAULT_CLUSTER,
                Locality.UNKNOWN,
                Workload.NetworkMode.STANDARD,
                0,
                Workload.Egress.REGISTRY_ONLY);
    }

    /// Owns the addresses and serves no port.
    static Service service(io.loam.protocol.proto.workload.Service message) {
        return new Service(
                message.getName(),
                new NamespacedHostname(message.getNamespace(), message.getHostname()),
                message.getAddressesList().stream()
                        .map(StandIns::block)
                        .filter(Objects::nonNull)
                        .toList(),
                List.of(),
                List.of(),
                null,
                List.of(),
                LoadBalancing.ANY,
                Service.IpFamilies.AUTOMATIC,
                message.getCanonical(),
                false,
                Service.Visibility.PUBLIC);
    }

    private static @Nullable ServiceAddress block(NetworkAddress message) {
        var address = address(message.getAddress());
        if (address == null) {
            return null;
        }
        boolean block = message.hasLength() && message.getLength() >= 0;
        int bits = Math.min(message.getLength(), address.getAddress().length * 8);
        return new ServiceAddress(message.getNetwork(), block ? new CidrBlock(address, bits) : CidrBlock.host(address));
    }

    private static @Nullable InetAddress address(ByteString bytes) {
        try {
            return InetAddress.getByAddress(bytes.toByteArray());
        } catch (UnknownHostException _) { // of no address length: then it is nobody's
            return null;
        }
    }
}
