package io.loam.controlplane;

import io.loam.config.cluster.ClusterState;
import io.loam.config.compile.CompiledMesh;
import io.loam.config.compile.MeshCompiler;
import io.loam.config.problem.Problem;
import io.loam.controlplane.push.Coalescer;
import io.loam.controlplane.xds.DiscoveryService;
import io.loam.controlplane.xds.MeshPublication;
import io.loam.controlplane.xds.MeshResources;
import io.loam.controlplane.xds.ProxyStatus;
import io.loam.protocol.rpc.RpcListenConfig;
import io.loam.protocol.rpc.RpcServer;
import io.loam.protocol.rpc.ServingCertificate;
import io.loam.protocol.token.TokenVerifier;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Compiles what exists into the mesh and tells every connected proxy what changes for it. {@link #close} ends
/// everything it started. All methods may be called from any thread.
///
/// Proxies hear nothing before the first {@link #publish}: an empty mesh would make them forget what they know.
public final class ControlPlane implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ControlPlane.class);

    private final ControlPlaneConfig config;
    private final MeshPublication publication;
    private final ScheduledExecutorService timer;
    private final RpcServer server;
    private final Coalescer<Change> changes;
    private final AtomicLong generations = new AtomicLong();
    private volatile CompiledMesh mesh = new CompiledMesh(List.of(), List.of(), List.of(), List.of());

    private ControlPlane(
            ControlPlaneConfig config, MeshPublication publication, ScheduledExecutorService timer, RpcServer server) {
        this.config = config;
        this.publication = publication;
        this.timer = timer;
        this.server = server;
        this.changes = Coalescer.start(
                "control-plane-push", config.quiet(), config.longestWait(), System::nanoTime, this::apply);
    }

    /// Returns once it listens.
    ///
    /// @param certificates issues a serving certificate, now and at each renewal
    /// @param tokens made for the audiences that are accepted here
    /// @throws IOException if the address cannot be bound
    public static ControlPlane start(
            ControlPlaneConfig config,
            RpcListenConfig listen,
            Supplier<ServingCertificate> certificates,
            TokenVerifier tokens,
            InstantSource clock)
            throws IOException {
        var publication = new MeshPublication();
        var timer = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().name("control-plane-timer").daemon().factory());
        var service =
                new DiscoveryService(publication, tokens, config.proxyAccounts(), config.maxProxies(), clock, timer);
        try {
            var server = RpcServer.start("control-plane", listen, certificates, clock, List.of(service.bindService()));
            return new ControlPlane(config, publication, timer, server);
        } catch (IOException | RuntimeException e) {
            timer.shutdownNow();
            throw e;
        }
    }

    /// Where it listens, with the port it was given.
    public InetSocketAddress address() {
        return server.address();
    }

    /// Asks for another serving certificate: of another authority, for example. Connections are not touched.
    public void renewCertificate() {
        server.renewCertificate();
    }

    /// Takes note of a new state and returns; it is compiled and sent after a quiet moment, together with what
    /// comes in between. States must be published in their order.
    ///
    /// @return the generation of this state: proxies that {@link ProxyStatus#hasGeneration have it} know of it
    public long publish(ClusterState state) {
        long generation;
        synchronized (generations) { // number and place in the queue must be in the same order
            generation = generations.incrementAndGet();
            changes.offer(new Change(generation, state));
        }
        return generation;
    }

    /// The mesh as compiled last.
    public CompiledMesh mesh() {
        return mesh;
    }

    /// What could not be done as written, from the state compiled last.
    public List<Problem> problems() {
        return mesh.problems();
    }

    /// The proxies that are connected now.
    public List<ProxyStatus> proxies() {
        return publication.proxies();
    }

    /// Counts since the start.
    public Statistics statistics() {
        var current = publication.current();
        return new Statistics(
                current == null ? 0 : current.generation(),
                publication.responses(),
                publication.resourcesSent(),
                publication.rejections());
    }

    /// @param generation in force now; 0 = nothing published yet
    /// @param responses sent to all proxies
    /// @param resourcesSent in these responses
    /// @param rejections responses of which a proxy could not use some part
    public record Statistics(long generation, long responses, long resourcesSent, long rejections) {}

    @Override
    public void close() {
        changes.close();
        server.close();
        timer.shutdownNow();
    }

    private void apply(Change change) {
        long started = System.nanoTime();
        var compiled = MeshCompiler.compile(change.state(), config.mesh());
        var next = MeshResources.next(publication.current(), change.generation(), compiled);
        mesh = compiled;
        publication.publish(next);
        LOG.info(
                "mesh published: generation={} workloads={} services={} policies={} problems={} took_ms={}",
                change.generation(),
                compiled.workloads().size(),
                compiled.services().size(),
                compiled.policies().size(),
                compiled.problems().size(),
                Duration.ofNanos(System.nanoTime() - started).toMillis());
    }

    private record Change(long generation, ClusterState state) {}
}
