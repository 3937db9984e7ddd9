package io.loam.runtime.config;

import java.nio.file.Path;
import java.time.Duration;

/// Everything the node agent is told. The names are those of ztunnel (wire reference, section 11), so that the agent
/// can take its place; what only we have begins with `LOAM_`.
///
/// @param zdsSocket where the privileged half listens (`INPOD_UDS`). Default `/var/run/ztunnel/ztunnel.sock`
/// @param certificateLifetime asked of the CA (`SECRET_TTL`). Default 24 h
/// @param workers event loops for traffic (`ZTUNNEL_WORKER_THREADS`: a number, `N%` of the cores, or 0 for all
///     cores). Default: a quarter of the cores, at least 2
public record AgentConfig(
        NodeConfig node,
        UpstreamConfig controlPlane,
        UpstreamConfig certificateAuthority,
        SocketConfig sockets,
        TunnelConfig tunnels,
        DrainConfig drain,
        AdminConfig admin,
        LogConfig log,
        Path zdsSocket,
        Duration certificateLifetime,
        int workers) {
    public AgentConfig {
        if (certificateLifetime.toSeconds() < 1) {
            throw new ConfigException("SECRET_TTL: " + certificateLifetime + " (expected: at least 1s)");
        }
        if (workers < 1) {
            throw new ConfigException("ZTUNNEL_WORKER_THREADS: " + workers + " (expected: at least 1)");
        }
    }
}
