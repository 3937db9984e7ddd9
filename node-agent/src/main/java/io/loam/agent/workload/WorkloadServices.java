package io.loam.agent.workload;

import io.loam.agent.dns.DnsServices;
import io.loam.agent.inbound.InboundServices;
import io.loam.agent.outbound.OutboundServices;
import io.loam.runtime.config.SocketConfig;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import org.jspecify.annotations.Nullable;

/// What the proxies of all pods share.
///
/// @param dns null where DNS is not captured
/// @param trustDomain of this node's workloads
public record WorkloadServices(
        EventLoops loops,
        SocketConfig sockets,
        TunnelPoolConfig pools,
        CertificateSource certificates,
        OutboundServices outbound,
        InboundServices inbound,
        @Nullable DnsServices dns,
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
            @Nullable DnsServices dns,
            PrometheusRegistry registry,
            String trustDomain) {
        this(loops, sockets, pools, certificates, outbound, inbound, dns, new AcceptPause(registry), trustDomain);
    }
}
