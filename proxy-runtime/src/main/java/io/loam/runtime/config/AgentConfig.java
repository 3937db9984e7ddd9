package io.loam.runtime.config;

import java.nio.file.Path;
import java.time.Duration;

/// Everything the node agent is told. The names are those of ztunnel (wire reference, section 11), so that the agent
/// can take its place; what only we have begins with `LOAM_`.
///
/// @param zdsSocket where the privileged half listens (`INPOD_UDS`). Default `/var/run/ztunnel/ztunnel.sock`
/// @param onDemand ask the control plane for the addresses that connections need, instead of being told the
///     whole mesh (`XDS_ON_DEMAND`): for meshes too large for every node to know. A connection to an address
///     that was not asked for yet waits for the answer. Not together with the DNS proxy, which answers from the
///     whole mesh, nor with a mesh that is left to a successor. Default false
/// @param stateDirectory what an agent leaves to its successor, above all which pod it died of
///     (`LOAM_STATE_DIR`): an existing directory of this node's agents alone. Default: none, then nobody is
///     isolated (hazard P5), and an agent that starts while the control plane is away knows no mesh (hazard P6)
/// @param meshMaxAge how old a mesh that a predecessor left may be, counted from the last moment at which it
///     was what the control plane said (`LOAM_MESH_MAX_AGE`); 0s: none is left or used. Default 24 h, as long
///     as a certificate lasts: until then agents that do not restart go on with what they know as well; 0s with
///     `XDS_ON_DEMAND`, where an agent knows a part, and nobody could say of which addresses
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
        boolean onDemand,
        String stateDirectory,
        Duration meshMaxAge,
        Duration certificateLifetime,
        int workers) {
    public AgentConfig {
        checkLifetime(certificateLifetime);
        checkWorkers(workers, sockets);
        checkOnDemand(onDemand, dns, meshMaxAge);
    }

    /// @param meshMaxAge see above
    static void checkOnDemand(boolean onDemand, DnsConfig dns, Duration meshMaxAge) {
        new Checks()
                .require(
                        !onDemand || !dns.enabled(),
                        "XDS_ON_DEMAND",
                        onDemand,
                        "false, or ISTIO_META_DNS_CAPTURE=false with it: the DNS proxy, which is on by default, answers"
                                + " from the whole mesh, and an agent that asks for addresses one by one does not know"
                                + " it")
                .require(
                        !onDemand || meshMaxAge.isZero(),
                        "LOAM_MESH_MAX_AGE",
                        meshMaxAge,
                        "0s or not set with XDS_ON_DEMAND=true, since an agent that knows parts of the mesh leaves none"
                                + " to its successor")
                .done();
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
