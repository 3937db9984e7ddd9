package io.loam.agent.workload;

import io.loam.agent.connections.ConnectionLimits;
import io.loam.agent.crash.PodMarks;
import io.loam.agent.dns.PodDns;
import io.loam.agent.dns.PodHosts;
import io.loam.agent.inbound.InboundPipeline;
import io.loam.agent.inbound.InboundTunnels;
import io.loam.agent.inbound.PlaintextPipeline;
import io.loam.agent.outbound.OutboundPipeline;
import io.loam.agent.pod.LocalPod;
import io.loam.model.decision.ProxyPorts;
import io.loam.model.failure.ErrorCode;
import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.ListeningSocket;
import io.loam.protocol.zds.HeldListeners;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One enrolled pod: three listeners per event loop in the pod's namespace, its DNS proxy, and the
/// pools of its outbound tunnels.
///
/// The kernel spreads new connections over the loops (SO_REUSEPORT); each connection then stays on the loop
/// that accepted it, with everything it needs. Methods are called on the ZDS thread or on the thread that
/// drains the process, under the lock of {@link WorkloadProxies}.
///
/// Listeners and sockets of the DNS proxy that the privileged half has kept (hazards P1, P4) are taken first,
/// all of them: one that is open and that nobody accepts from would swallow its share of the connections.
/// With another number of loops than the predecessor had, a loop gets several, or more are opened.
public final class WorkloadProxy implements WorkloadProxies.RunningProxy {
    private static final Logger log = LoggerFactory.getLogger(WorkloadProxy.class);

    /// A burst of connections to a pod waits here rather than being refused; the kernel caps it at `somaxconn`.
    private static final int BACKLOG = 4096;

    private static final List<Integer> PORTS =
            List.of(ProxyPorts.HBONE, ProxyPorts.INBOUND_PLAINTEXT, ProxyPorts.OUTBOUND);

    private final LocalPod pod;
    private final PodCertificate certificate;
    private final WorkloadServices services;
    private final PodTunnelPools pools;

    /// Does not change any more, so every loop may ask.
    private final IdentityHashMap<EventLoop, PodHosts> hosts = new IdentityHashMap<>();

    private final InboundTunnels tunnels = new InboundTunnels();
    private final List<Listener> listeners = new ArrayList<>();
    private final List<Opening> opening = new ArrayList<>();
    private final AcceptGate gate;
    private final AcceptGate queriesGate;
    private final PodMarks marks;
    private @Nullable PodDns dns;
    private boolean drained;
    private boolean stopped;

    private WorkloadProxy(LocalPod pod, WorkloadServices services) {
        this.pod = pod;
        this.services = services;
        certificate =
                new PodCertificate(pod, services.inbound().mesh(), services.certificates(), services.trustDomain());
        marks = services.crashMarks().of(pod.uid());
        pools = new PodTunnelPools(
                pod,
                marks,
                services.loops(),
                services.certificates(),
                limits(),
                services.pools(),
                services.inbound().hbone(),
                services.inbound().budgets());
        services.loops().workers().forEach(loop -> hosts.put(loop, new PodHosts(pod, services.hosts(), loop)));
        gate = gate("connections", certificate::get);
        queriesGate = gate("queries", () -> CompletableFuture.completedStage(null));
    }

    private AcceptGate gate(String what, Supplier<? extends CompletionStage<?>> certificate) {
        return AcceptGate.of(
                what,
                pod,
                services.loops().control().next(),
                services.successor(),
                services.inbound().mesh().whole(),
                certificate,
                AcceptGate.MESH_LIMIT,
                AcceptGate.CERTIFICATE_LIMIT);
    }

    /// Opens the listeners; when it returns the kernel completes connections, which are accepted when the
    /// {@link AcceptGate} opens. On failure none is left and the pod is still the caller's.
    ///
    /// @param held as for {@link #adopt}
    /// @throws IOException with the port and the reason
    static WorkloadProxy start(LocalPod pod, WorkloadServices services, HeldListeners held) throws IOException {
        var proxy = new WorkloadProxy(pod, services);
        try {
            if (services.dns() != null) {
                proxy.dns = PodDns.of(pod, services.dns(), services.loops().workers(), proxy.queriesGate::add);
            }
            proxy.adopt(held);
            for (var port : PORTS) {
                while (proxy.count(port) < services.loops().workers().size()) {
                    proxy.open(port);
                }
            }
            if (proxy.dns != null) {
                proxy.dns.open();
                proxy.dns.awaitOpen();
            }
            proxy.awaitOpen();
        } catch (IOException | RuntimeException | Error e) {
            proxy.closeListeners();
            throw e;
        }
        proxy.certificate.hold();
        log.info("pod joined pod={}", pod);
        return proxy;
    }

    @Override
    public void adopt(HeldListeners held) throws IOException {
        pod.requireListening(held);
        var own = ownInodes();
        int adopted = 0;
        for (var port : PORTS) {
            for (var socket : held.on(port)) {
                if (own.contains(socket.inode())) {
                    continue;
                }
                if (ListeningSocket.isIpv6(socket) != services.sockets().ipv6()) {
                    log.info("pod={} listener of another family is replaced port={}", pod, port);
                    continue;
                }
                adopt(port, socket);
                adopted++;
            }
        }
        if (dns != null) {
            adopted += dns.adopt(held, own);
            dns.awaitOpen();
        }
        awaitOpen();
        if (adopted > 0) {
            log.info("listeners taken over pod={} listeners={}", pod, adopted);
        }
    }

    private Set<Long> ownInodes() throws IOException {
        try (var own = copies(true)) {
            return own.inodes();
        }
    }

    private void adopt(int port, FileDescriptor socket) throws IOException {
        var listener = pod.sockets().adopted(socket);
        opening(port, listener, bootstrap(nextLoop(port), port, listener).register());
    }

    private void open(int port) throws IOException {
        var listener = pod.sockets().listener();
        opening(
                port,
                listener,
                bootstrap(nextLoop(port), port, listener)
                        .option(ChannelOption.SO_BACKLOG, BACKLOG)
                        .bind(new InetSocketAddress(wildcard(), port)));
    }

    private void opening(int port, EpollServerSocketChannel listener, ChannelFuture open) {
        listeners.add(new Listener(port, listener));
        limits().holdListener();
        opening.add(new Opening(port, listener, open));
    }

    /// Waits for all at once: the turns of a loop that is busy take a second, and the privileged half waits 5 s for
    /// all sockets of a pod (wire reference, 6.4, rule 4).
    private void awaitOpen() throws IOException {
        IOException failure = null;
        for (var each : opening) {
            if (each.open.awaitUninterruptibly().isSuccess()) {
                gate.add(each.listener);
            } else {
                failure = failed(each.port, each.open);
                listeners.removeIf(listener -> listener.socket.equals(each.listener));
                limits().giveListener();
            }
        }
        opening.clear();
        if (failure != null) {
            throw failure;
        }
    }

    private IOException failed(int port, ChannelFuture future) {
        return new IOException(
                "pod " + pod + ": cannot listen on port " + port + ": "
                        + future.cause().getMessage(),
                future.cause());
    }

    private ServerBootstrap bootstrap(EventLoop loop, int port, EpollServerSocketChannel listener) {
        return new ServerBootstrap()
                .group(loop, loop)
                .channelFactory(() -> listener)
                .option(ChannelOption.AUTO_READ, false) // the gate's to switch on
                .handler(services.acceptPause())
                .childHandler(pipeline(port));
    }

    private ChannelHandler pipeline(int port) {
        return switch (port) {
            case ProxyPorts.HBONE -> watched(new InboundPipeline(pod, services.inbound(), tunnels));
            case ProxyPorts.INBOUND_PLAINTEXT -> new PlaintextPipeline(pod, services.inbound());
            case ProxyPorts.OUTBOUND -> new OutboundPipeline(pod, services.outbound(), pools::of, hosts::get);
            default -> throw new IllegalArgumentException("port: " + port + " (expected: one of " + PORTS + ")");
        };
    }

    /// Of what others send us, tunnels are all that is parsed; the rest is passed on unread.
    private ChannelHandler watched(ChannelHandler pipeline) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                channel.pipeline().addLast(pipeline);
                marks.watch(channel.pipeline(), channel.eventLoop());
            }
        };
    }

    /// In turn, each port by itself.
    private EventLoop nextLoop(int port) {
        var loops = services.loops().workers();
        return loops.get(count(port) % loops.size());
    }

    private int count(int port) {
        return (int)
                listeners.stream().filter(listener -> listener.port == port).count();
    }

    @Override
    public HeldListeners listeners(boolean datagrams) throws IOException {
        var duplicates = copies(datagrams);
        if (dns != null && datagrams) {
            dns.datagramsAreKept();
        }
        return duplicates;
    }

    /// As many of each port as fit into one message: with more loops than that, the rest is not kept.
    private HeldListeners copies(boolean datagrams) throws IOException {
        int each = HeldListeners.MAX / (PORTS.size() + (dns == null ? 0 : dns.kinds(datagrams)));
        var duplicates = new HeldListeners();
        try {
            for (var port : PORTS) {
                var ofPort = listeners.stream().filter(listener -> listener.port == port);
                for (var listener : ofPort.limit(each).toList()) {
                    var number = listener.socket.fd().intValue();
                    duplicates.add(port, FileDescriptor.duplicate(number));
                }
            }
            if (dns != null) {
                dns.copyTo(duplicates, each, datagrams);
            }
            return duplicates;
        } catch (IOException | RuntimeException e) {
            duplicates.close();
            throw e;
        }
    }

    private ConnectionLimits limits() {
        return services.inbound().registry().limits();
    }

    private InetAddress wildcard() throws IOException {
        return InetAddress.getByAddress(new byte[services.sockets().ipv6() ? 16 : 4]);
    }

    @Override
    public CompletionStage<Void> accepts() {
        return dns == null ? gate.opened() : gate.opened().runAfterBoth(queriesGate.opened(), () -> {});
    }

    /// Peers are told to open no more streams, and running connections live until they end. The certificate
    /// stays: a connection that was accepted a moment ago may still have to dial its tunnel (hazard P1).
    @Override
    public void drain() {
        if (drained) {
            return;
        }
        drained = true;
        closeListeners();
        tunnels.drain();
        pools.drain();
        LeavingPod.watch(pod, services.loops().control().next(), this::abort);
    }

    @Override
    public boolean isInUse() {
        return tunnels.any() || (dns != null && dns.isInUse());
    }

    @Override
    public void stop() {
        if (stopped) {
            return;
        }
        stopped = true;
        drain();
        certificate.drop();
        marks.close();
        log.info("pod left pod={}", pod);
    }

    /// The pod does not run any more: nobody is at the other end of its connections.
    private void abort() {
        services.inbound().registry().abort(pod, ErrorCode.POD_ENDED, "the pod has ended");
        tunnels.close();
        pools.close();
    }

    /// Out of epoll first: others may have the socket open as well, and then closing our descriptor does not
    /// take it out (epoll(7), question 6), so that our loop would be woken up by connections of our
    /// successor.
    private void closeListeners() {
        gate.close();
        queriesGate.close();
        listeners.forEach(listener -> {
            listener.socket.deregister().awaitUninterruptibly();
            listener.socket.close().awaitUninterruptibly();
            limits().giveListener();
        });
        listeners.clear();
        if (dns != null) {
            dns.stop();
        }
    }

    @Override
    public void retireTunnels() {
        pools.retire();
    }

    @Override
    public LocalPod pod() {
        return pod;
    }

    private record Listener(int port, EpollServerSocketChannel socket) {}

    private record Opening(int port, EpollServerSocketChannel listener, ChannelFuture open) {}
}
