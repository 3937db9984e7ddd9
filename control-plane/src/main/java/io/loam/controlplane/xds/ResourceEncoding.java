package io.loam.controlplane.xds;

import com.google.protobuf.Message;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.List;

/// From the model to the messages and alias names of the wire.
@SuppressWarnings("DoNotCallSuggester") // until the mapping to messages is there
final class ResourceEncoding {
    private ResourceEncoding() {}

    static Message address(Workload workload) {
        throw new UnsupportedOperationException(workload.uid());
    }

    static Message address(Service service) {
        throw new UnsupportedOperationException(service.name());
    }

    static Message authorization(AuthorizationPolicy policy) {
        throw new UnsupportedOperationException(policy.key());
    }

    static List<String> aliases(Workload workload) {
        return List.of(workload.uid());
    }

    static List<String> aliases(Service service) {
        return List.of(service.name());
    }
}
