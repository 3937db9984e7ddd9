package io.loam.runtime.xds;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.loam.model.mesh.MeshDelta;
import io.loam.protocol.proto.discovery.Resource;
import io.loam.protocol.proto.security.Authorization;
import io.loam.protocol.proto.workload.Address;
import io.loam.protocol.xds.AuthorizationMapping;
import io.loam.protocol.xds.InvalidResourceException;
import io.loam.protocol.xds.ServiceMapping;
import io.loam.protocol.xds.WorkloadMapping;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Turns one response into a delta of the model. What cannot be read is named, and refused where it would matter
/// ({@link StandIns}).
final class DeltaReading {
    private final ResourceType type;
    private final Set<String> rootNamespaces;
    private final MeshDelta.Builder delta = MeshDelta.builder();
    private final List<String> problems = new ArrayList<>();

    DeltaReading(ResourceType type, Set<String> rootNamespaces) {
        this.type = type;
        this.rootNamespaces = rootNamespaces;
    }

    /// What became of a resource.
    enum Result {
        /// It is part of the delta.
        TAKEN,
        /// It cannot be read; what was known of it stays in force.
        KEPT_LAST_GOOD,
        /// It cannot be read and was not known; what refuses in its place is part of the delta.
        REPLACED
    }

    void remove(String name) {
        var _ = switch (type) {
            case ADDRESS -> delta.removeAddress(name);
            case AUTHORIZATION -> delta.removePolicy(name);
        };
    }

    /// @param lastGood whether an earlier version of it is in force
    Result read(Resource resource, boolean lastGood) {
        var name = resource.getName();
        var bytes = resource.getResource().getValue();
        try {
            take(name, bytes);
            return Result.TAKEN;
        } catch (InvalidResourceException e) {
            problems.add(String.valueOf(e.getMessage())); // names the resource and the field
        } catch (InvalidProtocolBufferException e) {
            problems.add(name + ": " + e.getMessage());
        } catch (RuntimeException | Error e) { // a bug that one resource finds must not cost the others
            problems.add(name + ": " + e);
        }
        if (lastGood) {
            return Result.KEPT_LAST_GOOD;
        }
        replace(name, bytes);
        return Result.REPLACED;
    }

    private void take(String name, ByteString bytes) throws InvalidProtocolBufferException {
        switch (type) {
            case ADDRESS -> {
                var address = Address.parseFrom(bytes);
                switch (address.getTypeCase()) {
                    case WORKLOAD -> delta.upsert(WorkloadMapping.toModel(address.getWorkload()));
                    case SERVICE -> delta.upsert(ServiceMapping.toModel(address.getService()));
                    case TYPE_NOT_SET -> throw new InvalidProtocolBufferException("neither workload nor service");
                }
            }
            case AUTHORIZATION -> {
                var policy = AuthorizationMapping.toModel(Authorization.parseFrom(bytes));
                if (!policy.key().equals(name)) { // its removal would name another one
                    throw new InvalidProtocolBufferException("carries policy " + policy.key());
                }
                delta.upsert(policy);
            }
        }
    }

    private void replace(String name, ByteString bytes) {
        switch (type) {
            case ADDRESS -> {
                var address = parsed(bytes, Address::parseFrom);
                if (address != null && address.hasWorkload()) {
                    delta.upsert(StandIns.workload(name, address.getWorkload()));
                } else if (address != null && address.hasService()) {
                    delta.upsert(StandIns.service(address.getService()));
                } // else nobody knows whose addresses they would be
            }
            case AUTHORIZATION ->
                StandIns.policy(name, parsed(bytes, Authorization::parseFrom), rootNamespaces)
                        .ifPresent(delta::upsert);
        }
    }

    private static <T> @Nullable T parsed(ByteString bytes, Parser<T> parser) {
        try {
            return parser.parse(bytes);
        } catch (InvalidProtocolBufferException _) { // was reported when it was read
            return null;
        }
    }

    private interface Parser<T> {
        T parse(ByteString bytes) throws InvalidProtocolBufferException;
    }

    MeshDelta delta() {
        return delta.build();
    }

    List<String> problems() {
        return problems;
    }
}
