package io.loam.agent.selftest;

import io.loam.agent.connections.ConnectionLimits;
import io.loam.agent.connections.ConnectionRegistry;
import io.loam.agent.connections.Telemetry;
import io.loam.agent.dns.HostLookup;
import io.loam.agent.inbound.InboundPipeline;
import io.loam.agent.inbound.InboundServices;
import io.loam.agent.inbound.InboundTunnels;
import io.loam.agent.outbound.OutboundPipeline;
import io.loam.agent.outbound.OutboundServices;
import io.loam.agent.pod.AddressLookup;
import io.loam.agent.pod.Dialer;
import io.loam.agent.pod.LocalPod;
import io.loam.agent.pod.WorkloadWait;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshView;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.Match;
import io.loam.model.policy.StringMatch;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.ReceiveBudget;
import io.loam.protocol.hbone.ReceiveBudgets;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.tls.HandshakeTerms;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import io.loam.runtime.accesslog.AccessLog;
import io.loam.runtime.config.LimitsConfig;
import io.loam.runtime.config.LogConfig;
import io.loam.runtime.config.SocketConfig;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.metrics.TrafficMetrics;
import io.loam.runtime.time.Timer;
import io.loam.runtime.tunnel.ClientTlsSource;
import io.loam.runtime.tunnel.StreamSource;
import io.loam.runtime.tunnel.TunnelKey;
import io.loam.runtime.tunnel.TunnelPool;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.SocketProtocolFamily;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.random.RandomGenerator;

/// Two pods of one mesh inside this process, each with the pipelines that serve real pods, on the process's own
/// event loops: outbound connection, routing, tunnel pool, TLS both ways, CONNECT, policy, dial, relay.
///
/// ```
/// client ─► outbound listener of loop i ─► tunnel ─► inbound listener of loop i+1 ─► echo
/// ```
///
/// What is not as in pods: nothing is redirected (callers connect to the outbound listener, which is what they
/// "wanted to reach"), every port is one the kernel chose on 127.0.0.0/8, and sockets carry no mark and are
/// nobody else's address. So it needs no privileges, and nothing of it is seen by the node's pods, metrics or
/// access log.
///
/// Owns what it opens until {@link #close}; the loops stay. Made and closed on a thread that is no event loop.
public final class LoopbackMesh implements AutoCloseable {
    private static final String DOMAIN = "loopback.loam";
    private static final String NAMESPACE = "self-test";
    private static final String POLICY = "callers";
    private static final int BACKLOG = 1024;

    /// Of its own, so that it takes nothing from the node's pods; more than any load opens.
    private static final LimitsConfig LIMITS = new LimitsConfig(4096, 4096, 1024, 1024);

    /// No endpoint here has a host name.
    private static final HostLookup NO_HOSTS = (_, host, _) -> {
        throw new IllegalStateException("host: " + host + " (expected: endpoints with addresses only)");
    };

    /// Of both ends, for programs that read all they are sent.
    private static final long RECEIVED_BYTES = 8 << 20;

    private final InetAddress clientAddress;
    private final InetAddress serverAddress;
    private final EventLoops loops;
    private final TunnelPoolConfig poolConfig;
    private final CertificateSource certificates;
    private final AccessLog accessLog;
    private final RefusalLines refusals = new RefusalLines();
    private final InboundTunnels tunnels = new InboundTunnels();
    private final MeshView view = new MeshView();
    private final List<LocalPod> pods = new ArrayList<>();
    private final List<Channel> listeners = new ArrayList<>();
    private final List<InetSocketAddress> entries = new ArrayList<>();
    private final List<Runnable> poolEnds = new ArrayList<>();

    /// @param sockets of the pods; its mark is not used
    /// @throws IOException if a listener cannot be opened, or certificates cannot be made
    public static LoopbackMesh open(
            EventLoops loops,
            SocketConfig sockets,
            TunnelPoolConfig pools,
            HboneConfig hbone,
            HandshakeTerms terms,
            Timer clock,
            RandomGenerator random)
            throws IOException {
        LoopbackMesh mesh;
        try {
            mesh = new LoopbackMesh(loops, pools, terms, clock, random);
        } catch (GeneralSecurityException e) {
            throw new IOException("no certificates: " + e.getMessage(), e);
        }
        try {
            mesh.serve(sockets, hbone, clock, random);
            return mesh;
        } catch (IOException | RuntimeException e) {
            mesh.close();
            throw e;
        }
    }

    private LoopbackMesh(
            EventLoops loops, TunnelPoolConfig pools, HandshakeTerms terms, Timer clock, RandomGenerator random)
            throws IOException, GeneralSecurityException {
        this.loops = loops;
        poolConfig = pools;
        clientAddress = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
        serverAddress = InetAddress.getByAddress(new byte[] {127, 0, 0, 2});
        certificates = new CertificateSource(
                new ThrowAwayAuthority(clock::now), terms, Executors.newVirtualThreadPerTaskExecutor(), clock, random);
        certificates.prefetch(identity("client"));
        certificates.prefetch(identity("server"));
        accessLog = new AccessLog(LogConfig.Format.PLAIN, refusals, new PrometheusRegistry());
    }

    private void serve(SocketConfig sockets, HboneConfig hbone, Timer clock, RandomGenerator random)
            throws IOException {
        var registry = new ConnectionRegistry(new ConnectionLimits(LIMITS, new PrometheusRegistry()));
        var workloads = new WorkloadWait(view);
        var telemetry = new Telemetry(new TrafficMetrics(new PrometheusRegistry()), accessLog, clock);
        view.addListener(registry::onSnapshot);
        view.publish(view.current()
                .apply(MeshDelta.of(
                        List.of(workload("client", clientAddress), workload("server", serverAddress, POLICY)),
                        List.of(),
                        List.of(only("client")))));

        var echo = listen(loops.control(), new EchoPipeline());
        Dialer dialer = (pod, loop, target, source) -> {
            var socket = new EpollSocketChannel(SocketProtocolFamily.INET);
            pod.sockets().localApplication(socket);
            return new Bootstrap()
                    .group(loop)
                    .channelFactory(() -> socket)
                    .handler(new ChannelInboundHandlerAdapter())
                    .connect(echo);
        };
        var outbound = new OutboundServices(
                view, workloads, AddressLookup.EVERYTHING_KNOWN, registry, telemetry, dialer, "", random);
        var budgets = new ReceiveBudgets(loops.workers(), RECEIVED_BYTES);
        var inbound = new InboundServices(
                view,
                workloads,
                AddressLookup.EVERYTHING_KNOWN,
                certificates,
                registry,
                telemetry,
                dialer,
                hbone,
                budgets,
                "",
                true);
        var client = pod("client", sockets);
        var server = pod("server", sockets);
        var workers = loops.workers();
        for (int i = 0; i < workers.size(); i++) {
            // The next loop's, so that the two ends of a tunnel take turns as those of two nodes do.
            var far = listen(workers.get((i + 1) % workers.size()), new InboundPipeline(server, inbound, tunnels));
            var streams = streams(workers.get(i), far, hbone, budgets.of(workers.get(i)));
            entries.add(listen(workers.get(i), new OutboundPipeline(client, outbound, _ -> streams, _ -> NO_HOSTS)));
        }
    }

    private LocalPod pod(String name, SocketConfig sockets) throws IOException {
        var pod =
                new LocalPod(NAMESPACE + "-" + name, new WorkloadInfo(name, NAMESPACE, name), Netns.current(), sockets);
        pods.add(pod);
        return pod;
    }

    /// A pool as every pod has one per loop; only the peer's port is `far`'s in place of 15008.
    private StreamSource streams(EventLoop loop, InetSocketAddress far, HboneConfig hbone, ReceiveBudget budget) {
        var pool = new TunnelPool(
                loop,
                _ -> new EpollSocketChannel(SocketProtocolFamily.INET),
                ClientTlsSource.of(certificates),
                poolConfig,
                hbone,
                budget);
        poolEnds.add(() -> loop.execute(pool::close));
        return (key, request, opening) ->
                pool.open(new TunnelKey(key.source(), key.sourceAddress(), key.destinations(), far), request, opening);
    }

    private InetSocketAddress listen(EventLoopGroup group, ChannelHandler pipeline) throws IOException {
        var bound = new ServerBootstrap()
                .group(group, group)
                .channelFactory(() -> new EpollServerSocketChannel(SocketProtocolFamily.INET))
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .childHandler(pipeline)
                .bind(serverAddress, 0)
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new IOException(
                    "cannot listen on " + serverAddress.getHostAddress() + ": "
                            + bound.cause().getMessage(),
                    bound.cause());
        }
        listeners.add(bound.channel());
        return (InetSocketAddress) bound.channel().localAddress();
    }

    private static SpiffeId identity(String pod) {
        return new SpiffeId(DOMAIN, NAMESPACE, pod);
    }

    private static AuthorizationPolicy only(String caller) {
        var nothing = Match.NOTHING;
        var match = new Match(
                nothing.namespaces(),
                nothing.notNamespaces(),
                List.of(new StringMatch.Exact(identity(caller).principal())),
                nothing.notPrincipals(),
                nothing.serviceAccounts(),
                nothing.notServiceAccounts(),
                nothing.sourceIps(),
                nothing.notSourceIps(),
                nothing.destinationIps(),
                nothing.notDestinationIps(),
                nothing.destinationPorts(),
                nothing.notDestinationPorts());
        var rule = new AuthorizationPolicy.Rule(List.of(new AuthorizationPolicy.Clause(List.of(match))));
        return new AuthorizationPolicy(
                POLICY,
                NAMESPACE,
                AuthorizationPolicy.Scope.WORKLOAD_SELECTOR,
                AuthorizationPolicy.Action.ALLOW,
                List.of(rule),
                false);
    }

    private static Workload workload(String name, InetAddress address, String... policies) {
        return new Workload(
                NAMESPACE + "/" + name,
                name,
                NAMESPACE,
                List.of(address),
                "",
                "",
                Workload.TunnelProtocol.HBONE,
                DOMAIN,
                name,
                null,
                null,
                "",
                name,
                "latest",
                Workload.Type.POD,
                name,
                false,
                null,
                Map.of(),
                List.of(policies).stream()
                        .map(policy -> NAMESPACE + "/" + policy)
                        .toList(),
                Workload.Status.HEALTHY,
                Workload.DEFAULT_CLUSTER,
                new Locality("", "", ""),
                Workload.NetworkMode.STANDARD,
                1,
                Workload.Egress.ALLOW_ANY);
    }

    /// Where the client's connections are taken, one address per worker; what is sent there comes back.
    public List<InetSocketAddress> entries() {
        return List.copyOf(entries);
    }

    /// Where the program that calls runs: not a worker, as applications do not.
    EventLoop caller() {
        return loops.control().next();
    }

    /// Why the proxy has refused or lost a connection first, "" if it has not. Complete after {@link #close}.
    String firstRefusal() {
        return refusals.first();
    }

    /// Whether both pods have their certificates, so that a connection waits for nobody.
    boolean hasCertificates() {
        return certificates.states().stream().allMatch(state -> state.current() != null);
    }

    /// From now on nobody is let in: for tests of what a failure looks like.
    void breakPolicy() {
        view.publish(view.current().apply(MeshDelta.of(List.of(), List.of(), List.of(only("nobody")))));
    }

    /// Ends what is open, listeners and tunnels first.
    @Override
    public void close() {
        listeners.forEach(listener -> listener.close().awaitUninterruptibly());
        tunnels.close();
        poolEnds.forEach(Runnable::run);
        for (var name : Set.of("client", "server")) {
            certificates.forget(identity(name));
        }
        accessLog.close();
        pods.forEach(LocalPod::release);
    }

    /// The program in the server's pod.
    private static final class EchoPipeline extends ChannelInitializer<EpollSocketChannel> {
        @Override
        protected void initChannel(EpollSocketChannel channel) {
            channel.pipeline().addLast("echo", new EchoHandler());
        }
    }
}
