package io.loam.config.compile;

import io.loam.config.problem.Problem;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.util.List;

/// The mesh as the control plane sends it, sorted by key, and what could not be done as written.
public record CompiledMesh(
        List<Workload> workloads, List<Service> services, List<AuthorizationPolicy> policies, List<Problem> problems) {
    public CompiledMesh {
        workloads = List.copyOf(workloads);
        services = List.copyOf(services);
        policies = List.copyOf(policies);
        problems = List.copyOf(problems);
    }
}
