package io.loam.lab.fabric;

import io.loam.ca.AuthorityException;
import io.loam.ca.CaServer;
import io.loam.ca.CertificateAuthority;
import io.loam.ca.ImpersonationCheck;
import io.loam.ca.PodDirectory;
import io.loam.ca.PodSnapshot;
import io.loam.ca.ServiceAccountName;
import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.RunningPod.Phase;
import io.loam.config.compile.CompiledMesh;
import io.loam.config.compile.MeshSettings;
import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import io.loam.config.problem.SourcePosition;
import io.loam.controlplane.ControlPlane;
import io.loam.controlplane.ControlPlaneConfig;
import io.loam.controlplane.xds.ProxyStatus;
import io.loam.lab.dns.ClusterDns;
import io.loam.lab.dns.DnsView;
import io.loam.lab.network.LabAddresses;
import io.loam.lab.network.LabName;
import io.loam.lab.network.NodeSlot;
import io.loam.lab.node.AgentRegistry;
import io.loam.lab.token.TokenIssuer;
import io.loam.lab.token.TokenRequest;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.rpc.RpcListenConfig;
import io.loam.protocol.token.TokenVerifier;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Control plane, CA and name server of a lab, in this process, and the tokens agents prove themselves with. Safe for
/// all threads.
public final class FabricServers implements AgentRegistry, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FabricServers.class);

    /// What the servers are called in a cluster; agents of a lab use the address, which their certificates name too.
    private static final List<String> DNS_NAMES =
            List.of("istiod.loam-system.svc", "istiod.istio-system.svc", "loam-control-plane.loam-system.svc");

    private static final int CONTROL_PLANE_PORT = 15012;
    private static final int CA_PORT = 15013;
    private static final String AGENT_NAMESPACE = "loam-system";

    /// By the wire reference, 6: compatible agents run under this account.
    private static final String AGENT_ACCOUNT = "ztunnel";

    private static final String TOKEN_AUDIENCE = "istio-ca";

    /// As in Istio's manifests.
    private static final Duration TOKEN_VALIDITY = Duration.ofHours(12);

    /// Long before the token in the file ends.
    private static final Duration TOKEN_REFRESH = Duration.ofHours(1);

    private static final int CA_REQUEST_BYTES = 1 << 20;

    /// An agent that comes back names what it has, some 80 bytes each: a mesh of 400,000 objects.
    private static final int XDS_REQUEST_BYTES = 32 << 20;

    /// As istiod's.
    private static final Duration MAX_CONNECTION_AGE = Duration.ofMinutes(30);

    /// Agents that have not confirmed by then may be gone.
    private static final Duration CONFIRMATION_TIMEOUT = Duration.ofSeconds(2);

    private static final Duration CONFIRMATION_POLL = Duration.ofMillis(20);

    private final LabName lab;
    private final Netns fabric;
    private final TokenIssuer tokens;
    private final ControlPlane controlPlane;
    private final CertificateAuthority issuer;
    private final CaServer ca;
    private final ClusterDns dns;
    private final Path roots;
    private final Views views;
    private final Map<String, Agent> agents = new ConcurrentHashMap<>();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("lab-timer").factory());
    private volatile List<PodDirectory.Pod> pods = List.of();
    private volatile long generation;

    /// A node's agent as its servers know it.
    ///
    /// @param refresh renews its token as long as the node is there
    private record Agent(PodDirectory.Pod pod, Future<?> refresh) {}

    /// What servers look at; published before the pods in it start.
    private static final class Views {
        volatile PodSnapshot pods = PodSnapshot.EMPTY;
        volatile DnsView names = DnsView.EMPTY;
    }

    private FabricServers(
            LabName lab,
            Netns fabric,
            TokenIssuer tokens,
            ControlPlane controlPlane,
            CertificateAuthority issuer,
            CaServer ca,
            ClusterDns dns,
            Path roots,
            Views views) {
        this.lab = lab;
        this.fabric = fabric;
        this.tokens = tokens;
        this.controlPlane = controlPlane;
        this.issuer = issuer;
        this.ca = ca;
        this.dns = dns;
        this.roots = roots;
        this.views = views;
    }

    /// Returns once all listen. To be called on a platform thread: sockets are opened in the fabric.
    ///
    /// @param authority a directory with the CA's keys under the names that Istio gives plugged-in ones; null: the
    ///     lab makes its own
    /// @throws IOException also if the keys cannot be used
    public static FabricServers start(LabName lab, @Nullable Path authority) throws IOException {
        var clock = InstantSource.system();
        var mesh = MeshSettings.DEFAULT;
        var opened = new ArrayList<AutoCloseable>();
        try {
            var fabric = Netns.open(LabName.netnsPath(lab.fabricNetns()));
            opened.add(fabric);
            var issuer = authority == null
                    ? CertificateAuthority.openOrCreate(lab.stateDir().resolve("ca"), clock)
                    : CertificateAuthority.pluggedIn(authority, clock);
            var roots = lab.stateDir().resolve("root-cert.pem");
            writeRoots(issuer, roots);
            issuer.addListener(() -> writeRoots(issuer, roots));
            var tokens = TokenIssuer.openOrCreate(lab.stateDir().resolve("tokens"), clock);
            var verifier = TokenVerifier.of(tokens.jwks(), tokens.issuer(), Set.of(TOKEN_AUDIENCE), clock);
            var agent = new ServiceAccountName(AGENT_NAMESPACE, AGENT_ACCOUNT);
            var views = new Views();
            var addresses = List.of(LabAddresses.FABRIC_IPV4, LabAddresses.FABRIC_IPV6);
            var ca = CaServer.start(
                    listen(fabric, CA_PORT, CA_REQUEST_BYTES),
                    DNS_NAMES,
                    addresses,
                    issuer,
                    verifier,
                    new ImpersonationCheck(mesh.trustDomain(), Set.of(agent)),
                    () -> views.pods,
                    clock);
            opened.add(ca);
            var controlPlane = ControlPlane.start(
                    ControlPlaneConfig.of(mesh, Set.of(agent.toString())),
                    listen(fabric, CONTROL_PLANE_PORT, XDS_REQUEST_BYTES),
                    () -> issuer.issueServing(DNS_NAMES, addresses),
                    verifier,
                    clock);
            opened.add(controlPlane);
            issuer.addListener(controlPlane::renewCertificate);
            var dns = ClusterDns.start(
                    List.of(
                            new InetSocketAddress(LabAddresses.DNS_IPV4, 53),
                            new InetSocketAddress(LabAddresses.DNS_IPV6, 53)),
                    () -> inside(fabric, EpollDatagramChannel::new),
                    () -> inside(fabric, EpollServerSocketChannel::new),
                    () -> views.names);
            opened.add(dns);
            return new FabricServers(lab, fabric, tokens, controlPlane, issuer, ca, dns, roots, views);
        } catch (IOException | AuthorityException | RuntimeException e) {
            for (var server : opened.reversed()) {
                try {
                    server.close();
                } catch (Exception again) { // declared by AutoCloseable; none of ours throws a checked one
                    e.addSuppressed(again);
                }
            }
            throw e instanceof AuthorityException refused
                    ? new IOException(refused.getMessage(), refused)
                    : rethrown(e);
        }
    }

    /// As a whole: agents look at it all the time, as at the ConfigMap that istiod writes.
    private static void writeRoots(CertificateAuthority issuer, Path file) {
        try {
            var fresh = file.resolveSibling(file.getFileName() + ".new");
            Files.writeString(fresh, issuer.rootsPem());
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static IOException rethrown(Exception e) {
        return switch (e) {
            case IOException io -> io;
            case UncheckedIOException io -> new IOException(io.getMessage(), io);
            case RuntimeException bug -> throw bug;
            default -> new IOException(e);
        };
    }

    private static RpcListenConfig listen(Netns fabric, int port, int maxRequestBytes) {
        return new RpcListenConfig(
                new InetSocketAddress(LabAddresses.FABRIC_IPV4, port),
                () -> inside(fabric, EpollServerSocketChannel::new),
                maxRequestBytes,
                MAX_CONNECTION_AGE);
    }

    private static <T> T inside(Netns netns, Netns.Task<T, RuntimeException> open) {
        try {
            return netns.call(open);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Tells all servers what is the case. The CA knows it when this returns; agents hear of it a moment later.
    public void publish(ClusterState state) {
        pods = state.pods().stream()
                .map(pod -> new PodDirectory.Pod(
                        pod.namespace(),
                        pod.name(),
                        pod.uid(),
                        pod.pod().spec().serviceAccountName(),
                        pod.node(),
                        pod.phase() == Phase.FAILED))
                .toList();
        publishPods();
        views.names = DnsView.of(state, MeshSettings.DEFAULT.clusterDomain());
        generation = controlPlane.publish(state);
    }

    private synchronized void publishPods() {
        Collection<PodDirectory.Pod> all = new ArrayList<>(pods);
        agents.values().forEach(agent -> all.add(agent.pod));
        views.pods = PodSnapshot.of(all);
    }

    @Override
    public Map<String, String> register(NodeSlot node) throws IOException {
        var pod = new PodDirectory.Pod(
                AGENT_NAMESPACE,
                "ztunnel-" + node.name(),
                UUID.randomUUID().toString(),
                AGENT_ACCOUNT,
                node.name(),
                false);
        var token = lab.stateDir().resolve("nodes").resolve(node.name()).resolve("token");
        writeToken(pod, token);
        var refresh = timer.scheduleWithFixedDelay(
                () -> refreshToken(pod, token), TOKEN_REFRESH.toSeconds(), TOKEN_REFRESH.toSeconds(), TimeUnit.SECONDS);
        var former = agents.put(node.name(), new Agent(pod, refresh));
        if (former != null) {
            former.refresh.cancel(false);
        }
        publishPods();
        var host = LabAddresses.FABRIC_IPV4.getHostAddress();
        return Map.ofEntries(
                Map.entry("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
                Map.entry("NODE_NAME", node.name()),
                Map.entry("POD_NAME", pod.name()),
                Map.entry("POD_NAMESPACE", AGENT_NAMESPACE),
                Map.entry("SERVICE_ACCOUNT", AGENT_ACCOUNT),
                Map.entry("INSTANCE_IP", node.ipv4().getHostAddress()),
                Map.entry("XDS_ADDRESS", "https://" + host + ":" + CONTROL_PLANE_PORT),
                Map.entry("CA_ADDRESS", "https://" + host + ":" + CA_PORT),
                Map.entry("XDS_ROOT_CA", roots.toString()),
                Map.entry("CA_ROOT_CA", roots.toString()),
                Map.entry("AUTH_TOKEN", token.toString()),
                // The machine's own resolvers, which an agent would take otherwise, cannot be reached from a lab.
                Map.entry("LOAM_DNS_RESOLVERS", LabAddresses.DNS_IPV4.getHostAddress()));
    }

    @Override
    public void forget(String node) {
        var agent = agents.remove(node);
        if (agent != null) {
            agent.refresh.cancel(false);
            publishPods();
        }
    }

    private void refreshToken(PodDirectory.Pod pod, Path file) {
        try {
            writeToken(pod, file);
        } catch (IOException e) {
            LOG.error("node={} token={} could not be renewed, the old one stays", pod.node(), file, e);
        }
    }

    private void writeToken(PodDirectory.Pod pod, Path file) throws IOException {
        var token = tokens.issue(new TokenRequest(
                pod.namespace(),
                pod.serviceAccount(),
                "account-" + pod.namespace() + "-" + pod.serviceAccount(),
                pod.name(),
                pod.uid(),
                pod.node(),
                "node-" + pod.node(),
                List.of(TOKEN_AUDIENCE),
                TOKEN_VALIDITY));
        Files.createDirectories(file.toAbsolutePath().getParent());
        var fresh = file.resolveSibling("token.new");
        Files.deleteIfExists(fresh);
        Files.createFile(fresh, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(fresh, token);
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    public CompiledMesh mesh() {
        return controlPlane.mesh();
    }

    /// From the state compiled last, and of the CA's files.
    public List<Problem> problems() {
        var problems = new ArrayList<>(controlPlane.problems());
        issuer.problem().ifPresent(refused -> problems.add(problem(refused)));
        return problems;
    }

    private static Problem problem(AuthorityException refused) {
        var where = SourcePosition.wholeFile(refused.file());
        return new Problem(Severity.ERROR, where, "", "", refused.detail(), "", "the CA goes on as before");
    }

    /// What agents have not confirmed yet, one sentence each.
    ///
    /// @param nodes whose agents are meant
    public List<String> pending(Collection<String> nodes) {
        var published = generation;
        var connected = controlPlane.proxies();
        return nodes.stream()
                .filter(node -> connected.stream()
                        .noneMatch(proxy -> proxy.node().equals(node) && proxy.hasGeneration(published)))
                .map(node -> "node " + node
                        + (connected.stream().anyMatch(proxy -> proxy.node().equals(node))
                                ? ": its agent has not confirmed the last change yet"
                                : ": its agent has not connected to the control plane yet"))
                .toList();
    }

    /// Whether an agent of the node has connected since then and has confirmed what was published last.
    public boolean hasAgentSince(String node, Instant since) {
        var published = generation;
        return controlPlane.proxies().stream()
                .anyMatch(proxy -> proxy.node().equals(node)
                        && proxy.connectedSince().isAfter(since)
                        && proxy.hasGeneration(published));
    }

    /// @return completes when all connected agents have confirmed what was published last, after 2 s at the latest
    public CompletionStage<Void> confirmed() {
        var wanted = generation;
        var done = new CompletableFuture<Void>();
        long deadline = System.nanoTime() + CONFIRMATION_TIMEOUT.toNanos();
        var look = timer.scheduleWithFixedDelay(
                () -> {
                    if (System.nanoTime() - deadline > 0 || allHave(controlPlane.proxies(), wanted)) {
                        done.complete(null);
                    }
                },
                0,
                CONFIRMATION_POLL.toMillis(),
                TimeUnit.MILLISECONDS);
        return done.whenComplete((_, _) -> look.cancel(false));
    }

    private static boolean allHave(List<ProxyStatus> proxies, long generation) {
        return proxies.stream().allMatch(proxy -> proxy.hasGeneration(generation));
    }

    @Override
    public void close() {
        timer.shutdownNow();
        dns.close();
        controlPlane.close();
        ca.close();
        fabric.close();
    }
}
