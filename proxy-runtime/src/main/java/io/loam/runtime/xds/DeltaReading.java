package io.loam.runtime.xds;

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

/// Turns one response into a delta of the model. What cannot be read is left out and named.
final class DeltaReading {
    private final ResourceType type;
    private final MeshDelta.Builder delta = MeshDelta.builder();
    private final List<String> problems = new ArrayList<>();

    DeltaReading(ResourceType type) {
        this.type = type;
    }

    void remove(String name) {
        var _ = switch (type) {
            case ADDRESS -> delta.removeAddress(name);
            case AUTHORIZATION -> delta.removePolicy(name);
        };
    }

    /// @return whether the resource is part of the delta now
    boolean read(Resource resource) {
        try {
            return switch (type) {
                case ADDRESS ->
                    readAddress(
                            resource.getName(),
                            Address.parseFrom(resource.getResource().getValue()));
                case AUTHORIZATION -> {
                    var message = Authorization.parseFrom(resource.getResource().getValue());
                    delta.upsert(AuthorizationMapping.toModel(message));
                    yield true;
                }
            };
        } catch (InvalidResourceException e) {
            problems.add(String.valueOf(e.getMessage())); // names the resource and the field
            return false;
        } catch (InvalidProtocolBufferException e) {
            problems.add(resource.getName() + ": " + e.getMessage());
            return false;
        }
    }

    private boolean readAddress(String name, Address address) {
        return switch (address.getTypeCase()) {
            case WORKLOAD -> {
                delta.upsert(WorkloadMapping.toModel(address.getWorkload()));
                yield true;
            }
            case SERVICE -> {
                delta.upsert(ServiceMapping.toModel(address.getService()));
                yield true;
            }
            case TYPE_NOT_SET -> {
                problems.add(name + ": neither workload nor service");
                yield false;
            }
        };
    }

    MeshDelta delta() {
        return delta.build();
    }

    List<String> problems() {
        return problems;
    }
}
