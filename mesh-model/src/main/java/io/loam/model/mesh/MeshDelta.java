package io.loam.model.mesh;

import io.loam.model.address.NamespacedHostname;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.CompiledPolicy;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// What changed between two snapshots. Removals come first: what is both removed and upserted is there
/// afterwards. Of several upserts with the same key the last one counts.
///
/// @param policies compiled at once: as they are written, those of a large mesh would not fit into the heap of an agent
/// @param removedWorkloads uids
/// @param removedPolicies `namespace/name`
public record MeshDelta(
        List<Workload> workloads,
        List<Service> services,
        List<CompiledPolicy> policies,
        Set<String> removedWorkloads,
        Set<NamespacedHostname> removedServices,
        Set<String> removedPolicies) {
    public MeshDelta {
        workloads = List.copyOf(workloads);
        services = List.copyOf(services);
        policies = List.copyOf(policies);
        removedWorkloads = Set.copyOf(removedWorkloads);
        removedServices = Set.copyOf(removedServices);
        removedPolicies = Set.copyOf(removedPolicies);
    }

    /// Everything of a mesh that was not known before.
    public static MeshDelta of(List<Workload> workloads, List<Service> services, List<AuthorizationPolicy> policies) {
        var compiled = policies.stream().map(CompiledPolicy::of).toList();
        return new MeshDelta(workloads, services, compiled, Set.of(), Set.of(), Set.of());
    }

    public static Builder builder() {
        return new Builder();
    }

    public boolean isEmpty() {
        return workloads.isEmpty()
                && services.isEmpty()
                && policies.isEmpty()
                && removedWorkloads.isEmpty()
                && removedServices.isEmpty()
                && removedPolicies.isEmpty();
    }

    /// Collects a delta, one resource at a time. For one thread.
    public static final class Builder {
        private final List<Workload> workloads = new ArrayList<>();
        private final List<Service> services = new ArrayList<>();
        private final List<CompiledPolicy> policies = new ArrayList<>();
        private final Set<String> removedWorkloads = new LinkedHashSet<>();
        private final Set<NamespacedHostname> removedServices = new LinkedHashSet<>();
        private final Set<String> removedPolicies = new LinkedHashSet<>();

        private Builder() {}

        public Builder upsert(Workload workload) {
            workloads.add(workload);
            return this;
        }

        public Builder upsert(Service service) {
            services.add(service);
            return this;
        }

        public Builder upsert(AuthorizationPolicy policy) {
            policies.add(CompiledPolicy.of(policy));
            return this;
        }

        public Builder removeWorkload(String uid) {
            removedWorkloads.add(uid);
            return this;
        }

        public Builder removeService(NamespacedHostname key) {
            removedServices.add(key);
            return this;
        }

        public Builder removePolicy(String key) {
            removedPolicies.add(key);
            return this;
        }

        /// Removes what has this resource name on the wire, where workloads and services are of one type and a
        /// removal does not tell which: every name may be a uid, and one with a single slash a service as well.
        public Builder removeAddress(String resourceName) {
            removedWorkloads.add(resourceName);
            int slash = resourceName.indexOf('/');
            if (slash >= 0 && resourceName.indexOf('/', slash + 1) < 0) {
                removedServices.add(
                        new NamespacedHostname(resourceName.substring(0, slash), resourceName.substring(slash + 1)));
            }
            return this;
        }

        public MeshDelta build() {
            return new MeshDelta(workloads, services, policies, removedWorkloads, removedServices, removedPolicies);
        }
    }
}
