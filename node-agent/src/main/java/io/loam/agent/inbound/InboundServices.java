package io.loam.agent.inbound;

import io.loam.agent.connections.ConnectionRegistry;
import io.loam.agent.connections.Telemetry;
import io.loam.agent.pod.AddressLookup;
import io.loam.agent.pod.Dialer;
import io.loam.agent.pod.WorkloadWait;
import io.loam.model.mesh.MeshView;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.ReceiveBudgets;
import io.loam.runtime.identity.CertificateSource;

/// What inbound connections of all pods share.
///
/// @param budgets of the loops, shared with the tunnels of outbound connections
/// @param handshakes one for the whole node
/// @param network this node's
/// @param responseBaggage whether answers describe the destination
public record InboundServices(
        MeshView mesh,
        WorkloadWait workloads,
        AddressLookup addresses,
        CertificateSource certificates,
        ConnectionRegistry registry,
        Telemetry telemetry,
        Dialer dialer,
        HboneConfig hbone,
        ReceiveBudgets budgets,
        HandshakeLimits handshakes,
        String network,
        boolean responseBaggage) {
    public InboundServices(
            MeshView mesh,
            WorkloadWait workloads,
            AddressLookup addresses,
            CertificateSource certificates,
            ConnectionRegistry registry,
            Telemetry telemetry,
            Dialer dialer,
            HboneConfig hbone,
            ReceiveBudgets budgets,
            String network,
            boolean responseBaggage) {
        this(
                mesh,
                workloads,
                addresses,
                certificates,
                registry,
                telemetry,
                dialer,
                hbone,
                budgets,
                new HandshakeLimits(),
                network,
                responseBaggage);
    }
}
