package io.loam.agent.workload;

import io.loam.agent.connections.ConnectionLimits;
import io.loam.agent.dns.PodDns;
import io.loam.agent.inbound.InboundPipeline;
import io.loam.agent.inbound.InboundTunnels;
import io.loam.agent.inbound.PlaintextPipeline;
import io.loam.agent.outbound.OutboundPipeline;
import io.loam.agent.pod.LocalPod;
import io.loam.model.decision.ProxyPorts;
import io.loam.model.failure.ErrorCode;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One enrolled pod: three listeners per event loop in the pod's namespace, its DNS proxy, and the
/// pools of its outbound tunnels.
///
/// The kernel spreads new connections over the loops (SO_REUSEPORT); each connection then stays on the loop that
/// accepted it, with everything it needs. Methods are called on the ZDS thread or on the thread that drains the
/// process.
public final class WorkloadProxy implements WorkloadProxies.RunningProxy {
    private static final Logger log = LoggerFactory.getLogger(WorkloadProxy.class);

    /// A burst of connections to a pod waits here rather than being refused; the kernel caps it at `somaxconn`.
    private static final int BACKLOG = 4096;

    private final LocalPod pod;
    private final PodCertificate certificate;
    private final WorkloadServices services;
    private final PodTunnelPools pools;
    private final InboundTunnels tunnels = new InboundTunnels();
    private final List<Channel> listeners = new ArrayList<>();
    private @Nullable PodDns dns;
    private boolean stopped;

    private WorkloadProxy(LocalPod pod, WorkloadServices services) {
        this.pod = pod;
        this.services = services;
        certificate =
                new PodCertificate(pod, services.inbound().mesh(), services.certificates(), services.trustDomain());
        pools = new PodTunnelPools(
                pod,
                services.loops(),
                services.certificates(),
                limits(),
                services.pools(),
                services.inbound().hbone());
    }

    /// Opens the listeners; returns when all of them take connections. On failure none is left and the pod is still
    /// the caller's.
    ///
    /// @throws IOException with the port and the reason
    static WorkloadProxy start(LocalPod pod, WorkloadServices services) throws IOException {
        var proxy = new WorkloadProxy(pod, services);
        try {
            for (var loop : services.loops().workers()) {
                proxy.listen(loop, ProxyPorts.HBONE, new InboundPipeline(pod, services.inbound(), proxy.tunnels));
                proxy.listen(loop, ProxyPorts.INBOUND_PLAINTEXT, new PlaintextPipeline(pod, services.inbound()));
                proxy.listen(
                        loop, ProxyPorts.OUTBOUND, new OutboundPipeline(pod, services.outbound(), proxy.pools::of));
            }
            if (services.dns() != null) {
                proxy.dns = PodDns.start(pod, services.dns(), services.loops().workers());
            }
        } catch (IOException | RuntimeException e) {
            proxy.closeListeners();
            throw e;
        }
        proxy.certificate.hold();
        log.info("pod joined pod={}", pod);
        return proxy;
    }

    private void listen(EventLoop loop, int port, ChannelHandler pipeline) throws IOException {
        EpollServerSocketChannel socket = pod.sockets().listener();
        var bound = new ServerBootstrap()
                .group(loop, loop)
                .channelFactory(() -> socket)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .handler(services.acceptPause())
                .childHandler(pipeline)
                .bind(new InetSocketAddress(wildcard(), port))
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new IOException(
                    "pod " + pod + ": cannot listen on port " + port + ": "
                            + bound.cause().getMessage(),
                    bound.cause());
        }
        listeners.add(bound.channel());
        limits().holdListener();
    }

    private ConnectionLimits limits() {
        return services.inbound().registry().limits();
    }

    private InetAddress wildcard() throws IOException {
        return InetAddress.getByAddress(new byte[services.sockets().ipv6() ? 16 : 4]);
    }

    /// The pod left, or the process ends: nothing new is accepted, peers are told to open no more streams, and
    /// running connections live until they end. Does nothing the second time.
    @Override
    public void stop() {
        if (stopped) {
            return;
        }
        stopped = true;
        closeListeners();
        tunnels.drain();
        pools.drain();
        certificate.drop();
        log.info("pod left pod={}", pod);
        LeavingPod.watch(pod, services.loops().control().next(), this::abort);
    }

    /// The pod does not run any more: nobody is at the other end of its connections.
    private void abort() {
        services.inbound().registry().abort(pod, ErrorCode.POD_ENDED, "the pod has ended");
        tunnels.close();
        pools.close();
    }

    private void closeListeners() {
        listeners.forEach(listener -> {
            listener.close().awaitUninterruptibly();
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
}
