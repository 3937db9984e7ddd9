package io.loam.agent.dns;

import io.loam.agent.pod.LocalPod;
import io.loam.model.decision.ProxyPorts;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.handler.timeout.IdleStateHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;

/// The DNS proxy of one pod: on the loopback addresses of its namespace, port 15053, over UDP and TCP, once per
/// event loop (wire reference, 1.1 and section 9). The kernel spreads datagrams and connections over the loops
/// (SO_REUSEPORT); each is dealt with on the loop that read it, the way to a resolver and back included.
///
/// Methods are called on the ZDS thread or on the thread that drains the process.
public final class PodDns {
    private static final InetAddress LOOPBACK_V4 = InetAddress.ofLiteral("127.0.0.1");
    private static final InetAddress LOOPBACK_V6 = InetAddress.ofLiteral("::1");

    /// Wire reference, section 9.
    private static final int TCP_IDLE_SECONDS = 5;

    /// Far more than a question with its options takes; other protocols that lose their way begin with a larger
    /// number (`GE` is 18,245) and are told at once.
    private static final int MOST_QUERY_BYTES = 4096;

    private static final int BACKLOG = 512;

    /// Open at one time in one pod. Only what did not fit into a datagram comes this way.
    private static final int MOST_CONNECTIONS = 256;

    private final LocalPod pod;
    private final DnsServices services;
    private final InFlight waiting;
    private final InFlight connections = new InFlight(MOST_CONNECTIONS, Refusal.CONNECTION_LIMIT);
    private final List<Channel> listeners = new ArrayList<>();

    private PodDns(LocalPod pod, DnsServices services) {
        this.pod = pod;
        this.services = services;
        waiting = new InFlight(services.config.maxForwardedPerPod(), Refusal.POD_LIMIT);
    }

    /// Opens the listeners; returns when all of them take queries. On failure none is left.
    ///
    /// @throws IOException with the port and the reason
    public static PodDns start(LocalPod pod, DnsServices services, List<EventLoop> loops) throws IOException {
        var dns = new PodDns(pod, services);
        try {
            boolean ipv6 = pod.sockets().config().ipv6() && pod.hasIpv6Loopback();
            for (var address : ipv6 ? List.of(LOOPBACK_V4, LOOPBACK_V6) : List.of(LOOPBACK_V4)) {
                for (var loop : loops) {
                    dns.listen(loop, new InetSocketAddress(address, ProxyPorts.DNS));
                }
            }
            return dns;
        } catch (IOException | RuntimeException e) {
            dns.stop();
            throw e;
        }
    }

    private void listen(EventLoop loop, InetSocketAddress address) throws IOException {
        var timeoutNanos = services.config.timeout().toNanos();
        var queries = new PodQueries(pod, services, waiting, loop, new Forwarder(pod.sockets(), loop, timeoutNanos));
        var destinations = new OriginalDestinations(pod, address);
        var datagrams = pod.sockets().localDatagrams(address.getAddress());
        var listening = bound(
                address,
                new Bootstrap()
                        .group(loop)
                        .channelFactory(() -> datagrams)
                        .option(
                                ChannelOption.RECVBUF_ALLOCATOR,
                                new FixedRecvByteBufAllocator(Forwarder.MOST_DATAGRAM_BYTES))
                        .handler(new DatagramQueries(queries, destinations))
                        .bind(address));
        services.limits.holdListener(); // of the socket that asks for destinations
        var _ = listening.closeFuture().addListener(_ -> {
            destinations.close();
            services.limits.giveListener();
        });
        var connecting = pod.sockets().localListener(address.getAddress());
        bound(
                address,
                new ServerBootstrap()
                        .group(loop, loop)
                        .channelFactory(() -> connecting)
                        .option(ChannelOption.SO_BACKLOG, BACKLOG)
                        .handler(services.acceptPause)
                        .childHandler(connection(queries))
                        .bind(address));
    }

    private ChannelInitializer<Channel> connection(PodQueries queries) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline()
                        .addLast("idle", new IdleStateHandler(TCP_IDLE_SECONDS, 0, 0)) // a client that asks no more
                        .addLast( // two bytes of length, then the message (RFC 1035, 4.2.2)
                                "frame",
                                new LengthFieldBasedFrameDecoder(
                                        Forwarder.LENGTH_BYTES + MOST_QUERY_BYTES,
                                        0,
                                        Forwarder.LENGTH_BYTES,
                                        0,
                                        Forwarder.LENGTH_BYTES))
                        .addLast("length", new LengthFieldPrepender(Forwarder.LENGTH_BYTES))
                        .addLast("queries", new StreamQueries(queries, connections));
            }
        };
    }

    private Channel bound(InetSocketAddress address, ChannelFuture binding) throws IOException {
        if (!binding.awaitUninterruptibly().isSuccess()) {
            throw new IOException(
                    "pod " + pod + ": cannot listen on " + Forwarder.text(address) + ": "
                            + binding.cause().getMessage(),
                    binding.cause());
        }
        listeners.add(binding.channel());
        services.limits.holdListener();
        return binding.channel();
    }

    /// Nothing new is taken; what was passed on ends within its time. Does nothing the second time.
    public void stop() {
        listeners.forEach(listener -> {
            listener.close().awaitUninterruptibly();
            services.limits.giveListener();
        });
        listeners.clear();
    }
}
