package io.loam.agent.workload;

import io.loam.agent.inbound.InboundServices;
import io.loam.agent.outbound.OutboundServices;
import io.loam.runtime.config.SocketConfig;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.tunnel.TunnelPoolConfig;

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
        String trustDomain) {}
