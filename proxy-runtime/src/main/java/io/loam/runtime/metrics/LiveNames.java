package io.loam.runtime.metrics;

import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The names that the current mesh can give to series. A series with other names counts what is gone.
///
/// Built from all workloads once per look: for a thread that may take that long, never for event loops.
public final class LiveNames {
    private final MeshSnapshot mesh;
    private final Set<Owner> owners = new HashSet<>();
    private final Set<Canonical> canonical = new HashSet<>();
    private final Set<String> hostnames = new HashSet<>();
    private final Set<String> dryRunPolicies = new HashSet<>();

    private LiveNames(MeshSnapshot mesh) {
        this.mesh = mesh;
    }

    public static LiveNames of(MeshSnapshot mesh) {
        var names = new LiveNames(mesh);
        for (var workload : mesh.workloads()) {
            names.owners.add(Owner.of(workload));
            names.canonical.add(new Canonical(workload.canonicalName(), workload.canonicalRevision()));
            if (!workload.hostname().isEmpty()) {
                names.hostnames.add(workload.hostname());
            }
        }
        for (var policy : mesh.policies()) {
            if (policy.dryRun()) {
                names.dryRunPolicies.add(policy.key());
            }
        }
        return names;
    }

    /// Whether any workload bears these values of `source_canonical_service` and `source_canonical_revision`.
    public boolean isCanonicalService(String name, String revision) {
        return canonical.contains(new Canonical(name, revision));
    }

    /// Whether any workload is known by this host name.
    public boolean isHostname(String name) {
        return hostnames.contains(name);
    }

    /// Whether a dry-run policy of this `namespace/name` is in the mesh.
    boolean isDryRunPolicy(String policy) {
        return dryRunPolicies.contains(policy);
    }

    boolean hasDryRunPolicies() {
        return !dryRunPolicies.isEmpty();
    }

    /// What a series says about one side, as far as the mesh can confirm it. Pods of one Deployment share it.
    record Owner(
            String namespace,
            String workload,
            String canonicalName,
            String canonicalRevision,
            String cluster,
            String region,
            String zone) {
        static Owner of(Workload workload) {
            return new Owner(
                    workload.namespace(),
                    workload.workloadName(),
                    workload.canonicalName(),
                    workload.canonicalRevision(),
                    workload.clusterId(),
                    workload.locality().region(),
                    workload.locality().zone());
        }
    }

    private record Canonical(String name, String revision) {}

    /// @param owner null where the series does not know the workload
    /// @param proved whether the series names a principal: without a workload nobody can say that it still exists
    boolean isSide(@Nullable Owner owner, boolean proved) {
        return owner == null ? !proved : owners.contains(owner);
    }

    /// @param service null where the series names none
    boolean isService(@Nullable Service service) {
        if (service == null) {
            return true;
        }
        var current = mesh.service(service.key());
        return current != null && current.name().equals(service.name());
    }
}
