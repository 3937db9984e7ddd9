package io.loam.model.mesh;

import io.loam.model.service.ServicePort;
import io.loam.model.workload.Workload;
import java.util.List;

/// A workload in its role as one of a service's.
///
/// @param ports its own ports for the service's; may leave out what the service's declaration answers
public record Endpoint(Workload workload, List<ServicePort> ports) {
    /// Where the workload serves a port of the service.
    ///
    /// @return 1 to 65535, or 0 if the workload does not say
    public int targetPort(int servicePort) {
        for (int i = 0; i < ports.size(); i++) { // no iterator: asked for each endpoint of a service
            var port = ports.get(i);
            if (port.servicePort() == servicePort) {
                return port.targetPort();
            }
        }
        return 0;
    }
}
