package io.loam.agent;

import io.loam.agent.connections.ConnectionLimits;
import io.loam.agent.connections.ConnectionRegistry;
import io.loam.agent.connections.Telemetry;
import io.loam.agent.crash.CrashMarks;
import io.loam.agent.crash.Predecessors;
import io.loam.agent.dns.DnsMetrics;
import io.loam.agent.dns.DnsServices;
import io.loam.agent.dns.HostMetrics;
import io.loam.agent.dns.HostServices;
import io.loam.agent.dump.ConfigDump;
import io.loam.agent.dump.ConnectionList;
import io.loam.agent.inbound.InboundServices;
import io.loam.agent.outbound.OutboundServices;
import io.loam.agent.pod.AcceptPause;
import io.loam.agent.pod.AddressLookup;
import io.loam.agent.pod.DemandLookup;
import io.loam.agent.pod.PodDialer;
import io.loam.agent.pod.WorkloadWait;
import io.loam.agent.selftest.LoopbackMesh;
import io.loam.agent.selftest.SelfTest;
import io.loam.agent.workload.PodPolicies;
import io.loam.agent.workload.Successor;
import io.loam.agent.workload.WorkloadProxies;
import io.loam.agent.workload.WorkloadServices;
import io.loam.agent.zds.ZdsClient;
import io.loam.model.dns.NameResolver;
import io.loam.model.mesh.MeshView;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.ReceiveBudgets;
import io.loam.protocol.linux.ProcessMemory;
import io.loam.protocol.linux.ResourceLimits;
import io.loam.protocol.tls.HandshakeTerms;
import io.loam.protocol.tls.Revocations;
import io.loam.runtime.accesslog.AccessLog;
import io.loam.runtime.accesslog.AccessLogControl;
import io.loam.runtime.admin.HttpEndpoint;
import io.loam.runtime.admin.HttpReply;
import io.loam.runtime.admin.HttpRequest;
import io.loam.runtime.admin.LogLevels;
import io.loam.runtime.admin.MetricsPage;
import io.loam.runtime.admin.ProgramLog;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.config.AgentConfig;
import io.loam.runtime.config.ConfigException;
import io.loam.runtime.config.LimitsConfig;
import io.loam.runtime.config.TunnelConfig;
import io.loam.runtime.config.UpstreamConfig.RootCertificates;
import io.loam.runtime.config.WatchdogConfig;
import io.loam.runtime.grpc.UpstreamChannels;
import io.loam.runtime.identity.CaClient;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.identity.RevocationFile;
import io.loam.runtime.identity.RootFile;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.loops.LoopWatchdog;
import io.loam.runtime.metrics.ProcessMetrics;
import io.loam.runtime.metrics.SeriesExpiry;
import io.loam.runtime.metrics.TrafficMetrics;
import io.loam.runtime.time.SystemTimer;
import io.loam.runtime.time.Timer;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import io.loam.runtime.xds.AddressDemand;
import io.loam.runtime.xds.MeshMemory;
import io.loam.runtime.xds.XdsClient;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The object graph of the node agent, in the order in which it is built, and its end.
final class Agent {
    private static final Logger log = LoggerFactory.getLogger(Agent.class);
    private static final String VERSION = "0.1.0";

    /// How often the drain looks whether connections are left.
    private static final Duration DRAIN_LOOK = Duration.ofMillis(50);

    /// What connections that were cut at the deadline get to send their resets and log lines.
    private static final Duration CUT_GRACE = Duration.ofMillis(300);

    /// Exit code of a process whose event loop is lost: an internal error in the terms of sysexits(3).
    private static final int LOOP_LOST = 70;

    private final AgentConfig config;
    private final EventLoops loops;
    private final CrashMarks crashMarks;
    private final LoopWatchdog watchdog;
    private final ConnectionRegistry connections;
    private final WorkloadProxies pods;
    private final ZdsClient zds;
    private final XdsClient xds;
    private final CaClient ca;
    private final CertificateSource certificates;
    private final AccessLog accessLog;
    private final SelfTest selfTest;
    private final List<HttpEndpoint> endpoints = new ArrayList<>();
    private final CountDownLatch quit = new CountDownLatch(1);
    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final Readiness readiness = new Readiness();
    private final LogLevels logLevels;
    private final ProgramLog programLog;
    private final AccessLogControl accessLogControl;
    private final ConfigDump dump;
    private final ConnectionList openConnections;

    /// Starts everything; returns when the admin ports listen and the clients are connecting.
    ///
    /// @throws IOException if a capability is missing or a port is taken
    /// @throws ConfigException if the process may open too few files
    static Agent start(AgentConfig config) throws IOException {
        // First of all: Netty would write 200 lines on the level that is logback's own default.
        var logLevels = new LogLevels(config.log().level(), new SystemTimer());
        Preload.tls();
        ProcessMemory.keepToOurselves(); // before there is a key in it
        long files = ResourceLimits.raiseOpenFiles();
        SelfCheck.run(config.sockets());
        var limits = LimitsConfig.within(files, ResourceLimits.openFiles());
        var agent = begin(config, limits, logLevels);
        log.info(
                "agent started node={} workers={} open.files={} sockets={} xds={} ca={} zds={}",
                config.node().nodeName(),
                config.workers(),
                files,
                limits.sockets(),
                config.controlPlane().address(),
                config.certificateAuthority().address(),
                config.zdsSocket());
        return agent;
    }

    /// As {@link #start}, whatever this process may do: pods cannot be taken on without privileges, all else
    /// works.
    static Agent begin(AgentConfig config, LimitsConfig limits, LogLevels logLevels) throws IOException {
        var agent = new Agent(config, limits, logLevels);
        try {
            agent.listen();
        } catch (IOException e) {
            agent.programLog.close(); // what is said about it is the last thing this process says
            throw e;
        }
        agent.xds.start();
        agent.zds.start();
        agent.selfTest.start();
        return agent;
    }

    private Agent(AgentConfig config, LimitsConfig limits, LogLevels logLevels) {
        this.config = config;
        // SplittableRandom is not safe for several threads; this one takes the calling thread's generator.
        RandomGenerator random = () -> ThreadLocalRandom.current().nextLong();
        var clock = new SystemTimer();
        this.logLevels = logLevels;
        programLog = ProgramLog.install(registry);
        ProcessMetrics.register(registry, "ztunnel", VERSION);

        loops = new EventLoops(config.workers());
        var predecessors = Predecessors.of(config.stateDirectory(), loops.workers());
        crashMarks = predecessors.marks();
        watchdog = LoopWatchdog.start(loops.all(), WatchdogConfig.DEFAULT, readiness, registry, lost -> {
            crashMarks.lost(lost);
            Runtime.getRuntime().halt(LOOP_LOST);
        });
        var channels = new UpstreamChannels(loops.control());
        var mesh = new MeshView();
        var workloads = new WorkloadWait(mesh);
        var demand = config.onDemand() ? new AddressDemand(registry, System::nanoTime) : null;
        connections = new ConnectionRegistry(new ConnectionLimits(limits, registry));
        mesh.addListener(connections::onSnapshot);

        ca = new CaClient(channels, config.certificateAuthority(), config.certificateLifetime());
        var blocking = Executors.newVirtualThreadPerTaskExecutor();
        var terms = new HandshakeTerms(config.tls().keyExchanges(), revocations(clock, blocking));
        certificates = new CertificateSource(ca, terms, blocking, clock, random);
        if (config.certificateAuthority().root() instanceof RootCertificates.File(var file)) {
            new RootFile(file, clock, blocking, certificates::rootsChanged).watch();
        }

        accessLog = new AccessLog(config.log().format(), new FileOutputStream(FileDescriptor.out), registry);
        accessLogControl = new AccessLogControl(accessLog);
        var traffic = new TrafficMetrics(registry);
        var names = new DnsMetrics(registry);
        var hosts = new HostMetrics(registry);
        var expiring = List.of(traffic, names, hosts);
        new SeriesExpiry(clock, mesh, Thread.ofVirtual().name("loam-series-expiry")::start, expiring).start();
        var telemetry = new Telemetry(traffic, accessLog, clock);
        var network = config.node().network();
        var addresses =
                demand == null ? AddressLookup.EVERYTHING_KNOWN : new DemandLookup(workloads, mesh, demand, network);
        var outbound = new OutboundServices(
                mesh, workloads, addresses, connections, telemetry, PodDialer.INSTANCE, network, random);
        var inbound = new InboundServices(
                mesh,
                workloads,
                addresses,
                certificates,
                connections,
                telemetry,
                PodDialer.INSTANCE,
                hbone(config.tunnels()),
                new ReceiveBudgets(loops.workers(), AgentJvm.RECEIVED_BYTES),
                network,
                config.tunnels().responseBaggage());
        var acceptPause = new AcceptPause(registry);
        var services = new WorkloadServices(
                loops,
                config.sockets(),
                pools(config),
                certificates,
                outbound,
                inbound,
                new HostServices(config.dns(), connections.limits(), hosts, new SecureRandom()),
                config.dns().enabled() ? dns(mesh, workloads, names, acceptPause, random) : null,
                acceptPause,
                crashMarks,
                new Successor(predecessors.living()::any, readiness),
                config.node().trustDomain());
        pods = new WorkloadProxies(services, predecessors.isolated(), readiness, registry);
        mesh.addPreparation(new PodPolicies(pods::pods)::prepare);
        zds = new ZdsClient(config.zdsSocket(), pods, readiness, random);
        var memory = MeshMemory.in(
                config.stateDirectory(), config.meshMaxAge(), config.node(), config.controlPlane(), clock, blocking);
        xds = new XdsClient(
                channels,
                config.controlPlane(),
                config.node(),
                mesh,
                memory,
                demand,
                readiness,
                registry,
                clock,
                random);
        openConnections = new ConnectionList(connections, clock);
        dump = new ConfigDump(config, VERSION, mesh, demand, certificates, pods, connections);
        selfTest = new SelfTest(() -> loopback(clock, random), readiness);
    }

    /// The self-test's certificates are its own and on nobody's list.
    private HandshakeTerms keyExchangeOnly() {
        return new HandshakeTerms(config.tls().keyExchanges(), Revocations.NONE);
    }

    /// Two pods in this process, on the loops and with the settings of all others.
    LoopbackMesh loopback(Timer clock, RandomGenerator random) throws IOException {
        return LoopbackMesh.open(
                loops, config.sockets(), pools(config), hbone(config.tunnels()), keyExchangeOnly(), clock, random);
    }

    private Revocations revocations(Timer clock, Executor blocking) {
        var file = config.tls().revocationLists();
        return file == null ? Revocations.NONE : new RevocationFile(file, clock, blocking, readiness, registry);
    }

    private DnsServices dns(
            MeshView mesh,
            WorkloadWait workloads,
            DnsMetrics metrics,
            AcceptPause acceptPause,
            RandomGenerator random) {
        var resolver = new NameResolver(
                config.node().clusterDomain(),
                config.dns().preferredNamespace(),
                config.sockets().ipv6());
        return new DnsServices(
                config.dns(), resolver, mesh, workloads, connections.limits(), metrics, acceptPause, random);
    }

    private static HboneConfig hbone(TunnelConfig tunnels) {
        var defaults = HboneConfig.DEFAULT;
        return new HboneConfig(
                tunnels.streamWindowBytes(),
                tunnels.connectionWindowBytes(),
                tunnels.frameBytes(),
                defaults.maxConcurrentStreams(),
                defaults.maxHeaderListBytes(),
                defaults.quietBeforePing(),
                defaults.pingTimeout());
    }

    private static TunnelPoolConfig pools(AgentConfig config) {
        return new TunnelPoolConfig(
                config.tunnels().streamsPerTunnel(),
                TunnelPoolConfig.DEFAULT.maxWaiting(),
                config.sockets().connectTimeout(),
                config.tunnels().unusedRelease());
    }

    private void listen() throws IOException {
        var admin = config.admin();
        var metrics = new MetricsPage(registry);
        var loopback = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
        open(
                new InetSocketAddress(loopback, admin.adminPort()),
                Map.of(
                        "/",
                        _ -> HttpReply.text(200, INDEX),
                        "/config_dump",
                        _ -> HttpReply.json(dump.render()),
                        "/connections",
                        _ -> HttpReply.json(openConnections.render()),
                        "/access_log",
                        accessLogControl::reply,
                        "/retire_tunnels",
                        this::retireTunnels,
                        "/renew_certificates",
                        this::renewCertificates,
                        "/logging",
                        logLevels::reply,
                        "/quitquitquit",
                        this::quit));
        open(
                new InetSocketAddress(admin.statsPort()),
                Map.of("/metrics", metrics::render, "/stats/prometheus", metrics::render));
        open(new InetSocketAddress(admin.readinessPort()), Map.of("/healthz/ready", _ -> readiness.reply()));
    }

    private void open(InetSocketAddress address, Map<String, Function<HttpRequest, HttpReply>> routes)
            throws IOException {
        endpoints.add(HttpEndpoint.open(loops.control(), address, routes));
    }

    private static final String INDEX = """
            GET  /config_dump              what this agent knows: mesh, certificates, connections
            GET  /connections              open connections: who with whom, bytes, duration
            POST /retire_tunnels?pod=<ns>/<name>  new connections of the pod get new tunnels; open ones go on
            POST /renew_certificates       all of them, now; open connections go on
            POST /logging?level=<level>    error, warn, info, debug, trace; or <logger>:<level>; &for=10m; or ?reset
            POST /access_log?only=errors   format=text|json, only=errors|all, namespace=, workload=, rate=; or ?reset
            POST /quitquitquit             drain and exit
            """;

    private HttpReply retireTunnels(HttpRequest request) {
        var pod = request.query().getOrDefault("pod", List.of());
        if (!request.method().equals("POST") || pod.size() != 1) {
            return HttpReply.text(405, "expected: POST with ?pod=NAMESPACE/NAME\n");
        }
        return pods.retireTunnels(pod.getFirst())
                ? HttpReply.text(200, "retired\n")
                : HttpReply.text(404, "no pod " + pod.getFirst() + " here\n");
    }

    private HttpReply renewCertificates(HttpRequest request) {
        return request.method().equals("POST")
                ? HttpReply.text(200, "renewing " + certificates.renewAll() + " certificates\n")
                : HttpReply.text(405, "expected: POST\n");
    }

    private HttpReply quit(HttpRequest request) {
        if (!request.method().equals("POST")) {
            return HttpReply.text(405, "Invalid HTTP method\n");
        }
        quit.countDown();
        return HttpReply.text(200, "shutdown now\n");
    }

    /// Returns when somebody asked for the end by HTTP.
    void awaitQuit() throws InterruptedException {
        quit.await();
    }

    /// The end (wire reference, section 10): listeners close at once, peers hear GOAWAY, connections go on
    /// until the deadline, and what is left then is cut. Blocks that long at most, and while peers have
    /// tunnels: a stream that crosses the GOAWAY is served (hazard P1), as is a query for a name that waits
    /// for its answer. Operators' ports close at once as well, so that where a successor on the same node has
    /// opened them (hazard P1) it is the one who answers.
    void drain() {
        long deadline = System.nanoTime() + config.drain().deadline().toNanos();
        log.info("draining deadline={} connections={}", config.drain().deadline(), connections.size());
        readiness.pending("draining");
        selfTest.close();
        zds.close();
        pods.drain();
        endpoints.forEach(HttpEndpoint::close);
        try {
            while ((connections.size() > 0 || pods.areInUse()) && System.nanoTime() < deadline) {
                Thread.sleep(DRAIN_LOOK);
            }
            if (connections.size() > 0) {
                log.warn("drain deadline reached, cutting connections={}", connections.size());
                connections.abortAll("drain deadline reached");
                Thread.sleep(CUT_GRACE);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // a second signal: end now
        }
        xds.close();
        ca.close();
        accessLog.close();
        watchdog.close();
        loops.close();
        crashMarks.close();
        log.info("drained");
        programLog.close();
    }
}
