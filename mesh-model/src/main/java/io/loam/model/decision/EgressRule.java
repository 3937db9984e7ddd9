package io.loam.model.decision;

import io.loam.model.address.NetworkAddress;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Egress;
import java.net.InetAddress;
import java.util.Locale;

/// What a workload may reach that the mesh does not know: by address when it connects, by name when it asks
/// DNS. Both questions have the same answer for the same destination, so that a name that resolves can also
/// be connected to.
public final class EgressRule {
    private EgressRule() {}

    /// Whether a workload may connect to an address that no service and no workload has.
    public static boolean permitsUnknown(Workload source, InetAddress address) {
        return switch (source.egress()) {
            case ALLOW_ANY -> true;
            case REGISTRY_ONLY -> address.isLoopbackAddress(); // it does not leave the pod
        };
    }

    /// Whether a workload may connect to an address, known or not. What of it the router refuses for other reasons is
    /// not
    /// looked at.
    public static boolean permits(MeshSnapshot mesh, Workload source, InetAddress address) {
        if (permitsUnknown(source, address)) {
            return true;
        }
        var known = new NetworkAddress(source.network(), address);
        return mesh.workloadByAddress(known) != null || mesh.findService(known, source.namespace()) != null;
    }

    /// Whether a name may be asked of resolvers outside of the mesh for a workload: always, unless its egress
    /// is REGISTRY_ONLY and no service that it can see has the name, itself or as a wildcard such as
    /// `*.example.com`. A name that no service has must then be answered without asking anybody, since the
    /// question alone would carry data out.
    ///
    /// @param hostname fully qualified, in any case, with or without a dot at its end
    public static boolean permitsName(MeshSnapshot mesh, Workload source, String hostname) {
        if (source.egress() == Egress.ALLOW_ANY) {
            return true;
        }
        var name = hostname.toLowerCase(Locale.ROOT);
        if (name.endsWith(".")) {
            name = name.substring(0, name.length() - 1);
        }
        if (mesh.findServiceByHostname(name, source.namespace()) != null) {
            return true;
        }
        for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
            if (mesh.findServiceByHostname("*" + name.substring(dot), source.namespace()) != null) {
                return true;
            }
        }
        return false;
    }
}
