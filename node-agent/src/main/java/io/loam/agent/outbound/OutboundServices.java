package io.loam.agent.outbound;

import io.loam.agent.connections.ConnectionRegistry;
import io.loam.agent.connections.Telemetry;
import io.loam.agent.pod.AddressLookup;
import io.loam.agent.pod.Dialer;
import io.loam.agent.pod.WorkloadWait;
import io.loam.model.mesh.MeshView;
import java.util.random.RandomGenerator;

/// What outbound connections of all pods share.
///
/// @param network this node's
/// @param random for load balancing and trace ids; thread-safe
public record OutboundServices(
        MeshView mesh,
        WorkloadWait workloads,
        AddressLookup addresses,
        ConnectionRegistry registry,
        Telemetry telemetry,
        Dialer dialer,
        String network,
        RandomGenerator random) {}
