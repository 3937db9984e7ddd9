package io.loam.controlplane.xds;

import com.google.protobuf.Message;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import io.loam.protocol.proto.workload.Address;
import io.loam.protocol.xds.AuthorizationMapping;
import io.loam.protocol.xds.ServiceMapping;
import io.loam.protocol.xds.WorkloadMapping;

/// From the model to the messages of the two types: workloads and services are both an `Address`.
final class ResourceEncoding {
    private ResourceEncoding() {}

    static Message address(Workload workload) {
        return Address.newBuilder()
                .setWorkload(WorkloadMapping.toProto(workload))
                .build();
    }

    static Message address(Service service) {
        return Address.newBuilder().setService(ServiceMapping.toProto(service)).build();
    }

    static Message authorization(AuthorizationPolicy policy) {
        return AuthorizationMapping.toProto(policy);
    }
}
