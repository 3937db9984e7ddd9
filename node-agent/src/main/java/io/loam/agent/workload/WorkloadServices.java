package io.loam.agent.workload;

import io.loam.agent.inbound.InboundServices;
import io.loam.agent.outbound.OutboundServices;
import io.loam.runtime.config.SocketConfig;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/// What the proxies of all pods share.
///
/// @param trustDomain of this node's workloads
public record WorkloadServices(
        EventLoops loops,
        SocketConfig sockets,
        TunnelPoolConfig pools,
        CertificateSource certificates,
        OutboundServices outbound,
        InboundServices inbound,
        AcceptPause acceptPause,
        String trustDomain) {
    /// @param registry where failures to accept are counted
    public WorkloadServices(
            EventLoops loops,
            SocketConfig sockets,
            TunnelPoolConfig pools,
            CertificateSource certificates,
            OutboundServices outbound,
            InboundServices inbound,
            PrometheusRegistry registry,
            String trustDomain) {
        this(loops, sockets, pools, certificates, outbound, inbound, new AcceptPause(registry), trustDomain);
    }
}
