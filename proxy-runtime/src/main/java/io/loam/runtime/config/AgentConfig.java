package io.loam.runtime.config;

import java.nio.file.Path;
import java.time.Duration;

/// Everything the node agent is told. The names are those of ztunnel (wire reference, section 11), so that the agent
/// can take its place; what only we have begins with `LOAM_`.
///
/// @param zdsSocket where the privileged half listens (`INPOD_UDS`). Default `/var/run/ztunnel/ztunnel.sock`
/// @param stateDirectory what an agent leaves to its successor, above all which pod it died of
///     (`LOAM_STATE_DIR`): an existing directory of this node's agents alone. Default: none, then nobody is
///     isolated (hazard P5), and an agent that starts while the control plane is away knows no mesh (hazard P6)
/// @param meshMaxAge how old a mesh that a predecessor left may be, counted from the last moment at which it
///     was what the control plane said (`LOAM_MESH_MAX_AGE`); 0s: none is left or used. Default 24 h, as long
///     as a certificate lasts: until then agents that do not restart go on with what they know as well
/// @param certificateLifetime asked of the CA (`SECRET_TTL`). Default 24 h
/// @param workers event loops for traffic (`ZTUNNEL_WORKER_THREADS`: a number, `N%` of the cores, or 0 for all
///     cores, where `ZTUNNEL_CPU_LIMIT` may say how many those are). Default: `ZTUNNEL_RESOURCE_CPU_LIMIT`, else the
///     largest of 2, a quarter of the cores and `ZTUNNEL_RESOURCE_CPU_REQUEST`
public record AgentConfig(
        NodeConfig node,
        UpstreamConfig controlPlane,
        UpstreamConfig certificateAuthority,
        SocketConfig sockets,
        TunnelConfig tunnels,
        TlsConfig tls,
        DnsConfig dns,
        DrainConfig drain,
        AdminConfig admin,
        LogConfig log,
        Path zdsSocket,
        String stateDirectory,
        Duration meshMaxAge,
        Duration certificateLifetime,
        int workers) {
    public AgentConfig {
        checkLifetime(certificateLifetime);
        checkWorkers(workers, sockets);
    }

    static void checkLifetime(Duration certificateLifetime) {
        new Checks()
                .require(certificateLifetime.toSeconds() >= 1, "SECRET_TTL", certificateLifetime, "at least 1s")
                .done();
    }

    static void checkWorkers(int workers, SocketConfig sockets) {
        new Checks()
                .range("ZTUNNEL_WORKER_THREADS", workers, 1, 1024)
                .require(
                        sockets.reusePort() || workers == 1,
                        "INPOD_PORT_REUSE",
                        false,
                        "true with " + workers + " workers, since each has listeners of its own; or"
                                + " ZTUNNEL_WORKER_THREADS=1")
                .done();
    }
}
