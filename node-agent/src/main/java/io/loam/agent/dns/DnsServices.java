package io.loam.agent.dns;

import io.loam.agent.connections.ConnectionLimits;
import io.loam.agent.pod.AcceptPause;
import io.loam.agent.pod.WorkloadWait;
import io.loam.model.dns.NameResolver;
import io.loam.model.mesh.MeshView;
import io.loam.runtime.config.DnsConfig;
import java.util.random.RandomGenerator;

/// What the DNS proxies of all pods share.
public final class DnsServices {
    final DnsConfig config;
    final NameResolver resolver;
    final MeshView mesh;
    final WorkloadWait workloads;
    final ConnectionLimits limits;
    final DnsMetrics metrics;
    final AcceptPause acceptPause;
    final RandomGenerator random;

    /// Queries of the node that wait.
    final InFlight node;

    /// @param limits what the node's connections may hold: sockets of DNS are among them
    /// @param random for the order of addresses; thread-safe
    public DnsServices(
            DnsConfig config,
            NameResolver resolver,
            MeshView mesh,
            WorkloadWait workloads,
            ConnectionLimits limits,
            DnsMetrics metrics,
            AcceptPause acceptPause,
            RandomGenerator random) {
        this.config = config;
        this.resolver = resolver;
        this.mesh = mesh;
        this.workloads = workloads;
        this.limits = limits;
        this.metrics = metrics;
        this.acceptPause = acceptPause;
        this.random = random;
        node = new InFlight(config.maxForwarded(), Refusal.NODE_LIMIT);
    }
}
