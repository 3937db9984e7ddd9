package io.loam.agent.workload;

import io.loam.agent.crash.CrashMarks;
import io.loam.agent.dns.DnsServices;
import io.loam.agent.dns.HostServices;
import io.loam.agent.inbound.InboundServices;
import io.loam.agent.outbound.OutboundServices;
import io.loam.agent.pod.AcceptPause;
import io.loam.runtime.config.SocketConfig;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import org.jspecify.annotations.Nullable;

/// What the proxies of all pods share.
///
/// @param hosts for endpoints that are host names
/// @param dns null where DNS is not captured
/// @param acceptPause of all listeners
/// @param successor knows the agent that this one replaces
/// @param trustDomain of pods that the control plane has not described yet
public record WorkloadServices(
        EventLoops loops,
        SocketConfig sockets,
        TunnelPoolConfig pools,
        CertificateSource certificates,
        OutboundServices outbound,
        InboundServices inbound,
        HostServices hosts,
        @Nullable DnsServices dns,
        AcceptPause acceptPause,
        CrashMarks crashMarks,
        Successor successor,
        String trustDomain) {}
