package io.loam.model.decision;

import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.Service;
import io.loam.model.service.ServicePort;
import io.loam.model.workload.Workload;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Which service an inbound connection counts for in metrics and logs (wire reference, 3.3, last paragraph).
public final class ServiceAttribution {
    private ServiceAttribution() {}

    /// @param forwardedHost `host` of the client's `forwarded` header; null where there is none
    /// @param targetPort the application's port
    /// @return the service the client says it asked for, if the workload is part of it; otherwise that of the
    ///     workload's services which leads to the port, the first by namespace and host name; null if there is
    ///     none
    public static @Nullable Service of(
            MeshSnapshot mesh, Workload local, @Nullable String forwardedHost, int targetPort) {
        Service byPort = null;
        for (var entry : local.services().entrySet()) {
            var service = mesh.service(entry.getKey());
            if (service == null) {
                continue;
            }
            if (service.hostname().equals(forwardedHost)) {
                return service;
            }
            boolean leadsThere = anyTargets(entry.getValue(), targetPort) || anyTargets(service.ports(), targetPort);
            if (leadsThere && (byPort == null || BY_NAME.compare(service, byPort) < 0)) {
                byPort = service;
            }
        }
        return byPort;
    }

    private static final Comparator<Service> BY_NAME =
            Comparator.comparing(Service::namespace).thenComparing(Service::hostname);

    private static boolean anyTargets(List<ServicePort> ports, int targetPort) {
        for (var port : ports) {
            if (port.targetPort() == targetPort) {
                return true;
            }
        }
        return false;
    }
}
