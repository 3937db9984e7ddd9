package io.loam.agent.dns;

import io.loam.agent.pod.LocalPod;
import io.loam.model.decision.ProxyPorts;
import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.ListeningSocket;
import io.loam.protocol.zds.HeldListeners;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.UnixChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.handler.timeout.IdleStateHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/// The DNS proxy of one pod: on the loopback addresses of its namespace, port 15053, over UDP and TCP, once per
/// event loop (wire reference, 1.1 and section 9). The kernel spreads datagrams and connections over the loops
/// (SO_REUSEPORT); each is dealt with on the loop that read it, the way to a resolver and back included.
///
/// Sockets that the privileged half has kept (hazards P1, P4) are taken first, all of them, as {@link
/// io.loam.agent.workload.WorkloadProxy} takes listeners: queries that came while no agent lived wait in
/// them.
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
    private final Consumer<Channel> gate;
    private final InFlight waiting;
    private final InFlight connections = new InFlight(MOST_CONNECTIONS, Refusal.CONNECTION_LIMIT);

    /// One per address and loop.
    private final List<Desk> desks = new ArrayList<>();

    private final List<Listener> listeners = new ArrayList<>();
    private final List<ChannelFuture> opening = new ArrayList<>();

    /// Sockets for datagrams and connections of programs; the loops take out what has closed.
    private final Set<Channel> inUse = ConcurrentHashMap.newKeySet();

    private boolean datagramsKept;
    private boolean stopped;

    private PodDns(LocalPod pod, DnsServices services, Consumer<Channel> gate) {
        this.pod = pod;
        this.services = services;
        this.gate = gate;
        waiting = new InFlight(services.config.maxForwardedPerPod(), Refusal.POD_LIMIT);
    }

    /// Nothing listens before {@link #adopt} or {@link #open}.
    ///
    /// @param gate has each socket that it is given read as soon as queries can be answered
    /// @throws IOException if the pod's namespace cannot be looked into
    public static PodDns of(LocalPod pod, DnsServices services, List<EventLoop> loops, Consumer<Channel> gate)
            throws IOException {
        var dns = new PodDns(pod, services, gate);
        boolean ipv6 = pod.sockets().config().ipv6() && pod.hasIpv6Loopback();
        for (var address : ipv6 ? List.of(LOOPBACK_V4, LOOPBACK_V6) : List.of(LOOPBACK_V4)) {
            for (var loop : loops) {
                dns.desks.add(dns.desk(loop, new InetSocketAddress(address, ProxyPorts.DNS)));
            }
        }
        return dns;
    }

    private Desk desk(EventLoop loop, InetSocketAddress address) {
        var timeoutNanos = services.config.timeout().toNanos();
        var queries = new PodQueries(pod, services, waiting, loop, new Forwarder(pod.sockets(), loop, timeoutNanos));
        return new Desk(loop, address, queries, new OriginalDestinations(pod, address));
    }

    /// Takes queries from these sockets as well.
    ///
    /// @param held sockets of this pod; those on our port and addresses are taken out, the rest stays the
    ///     caller's
    /// @param own inodes of those that we have already
    /// @return how many were taken
    /// @throws IOException if the kernel refuses one
    public int adopt(HeldListeners held, Set<Long> own) throws IOException {
        return adopt(Transport.UDP, held.datagramsOn(ProxyPorts.DNS), own)
                + adopt(Transport.TCP, held.on(ProxyPorts.DNS), own);
    }

    private int adopt(Transport transport, List<FileDescriptor> sockets, Set<Long> own) throws IOException {
        int adopted = 0;
        for (var socket : sockets) {
            var address = ListeningSocket.address(socket);
            if (own.contains(socket.inode())
                    || desks.stream().noneMatch(desk -> desk.address.equals(address))) { // lost IPv6, say
                continue;
            }
            var desk = next(transport, address);
            hold(
                    transport,
                    desk,
                    switch (transport) {
                        case UDP ->
                            bootstrap(desk, pod.sockets().adoptedDatagrams(socket))
                                    .register();
                        case TCP ->
                            bootstrap(desk, pod.sockets().adoptedLocal(socket)).register();
                    });
            adopted++;
        }
        return adopted;
    }

    /// Opens what is missing to one socket per transport, address and loop. After a failure {@link #stop}
    /// closes what was opened.
    ///
    /// @throws IOException with the port and the reason
    public void open() throws IOException {
        for (var transport : Transport.values()) {
            for (var each : desks) {
                while (count(transport, each.address) < desksAt(each.address).size()) {
                    var desk = next(transport, each.address);
                    var loopback = each.address.getAddress();
                    hold(
                            transport,
                            desk,
                            switch (transport) {
                                case UDP ->
                                    bootstrap(desk, pod.sockets().localDatagrams(loopback))
                                            .bind(desk.address);
                                case TCP ->
                                    bootstrap(desk, pod.sockets().localListener(loopback))
                                            .option(ChannelOption.SO_BACKLOG, BACKLOG)
                                            .bind(desk.address);
                            });
                }
            }
        }
    }

    /// In turn, each transport and address by itself.
    private Desk next(Transport transport, InetSocketAddress address) {
        var there = desksAt(address);
        return there.get(count(transport, address) % there.size());
    }

    private List<Desk> desksAt(InetSocketAddress address) {
        return desks.stream().filter(desk -> desk.address.equals(address)).toList();
    }

    private int count(Transport transport, InetSocketAddress address) {
        return (int) listeners.stream()
                .filter(listener -> listener.transport == transport && listener.desk.address.equals(address))
                .count();
    }

    private static Bootstrap bootstrap(Desk desk, EpollDatagramChannel socket) {
        return new Bootstrap()
                .group(desk.loop)
                .channelFactory(() -> socket)
                .option(ChannelOption.AUTO_READ, false) // the gate's to switch on
                .option(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(Forwarder.MOST_DATAGRAM_BYTES))
                .handler(new DatagramQueries(desk.queries, desk.destinations));
    }

    private ServerBootstrap bootstrap(Desk desk, EpollServerSocketChannel socket) {
        return new ServerBootstrap()
                .group(desk.loop, desk.loop)
                .channelFactory(() -> socket)
                .option(ChannelOption.AUTO_READ, false) // the gate's to switch on
                .handler(services.acceptPause)
                .childHandler(connection(desk.queries));
    }

    private ChannelInitializer<Channel> connection(PodQueries queries) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel ch) {
                use(ch);
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

    private void use(Channel channel) {
        inUse.add(channel);
        var _ = channel.closeFuture().addListener(_ -> inUse.remove(channel));
    }

    private void hold(Transport transport, Desk desk, ChannelFuture open) {
        listeners.add(new Listener(transport, desk, open.channel()));
        services.limits.holdListener();
        if (transport == Transport.UDP) {
            use(open.channel());
            services.limits.holdListener(); // of the socket that asks for destinations
        }
        opening.add(open);
    }

    /// Waits for all that {@link #adopt} and {@link #open} have begun to open.
    ///
    /// @throws IOException with the port and the reason; {@link #stop} closes the others
    public void awaitOpen() throws IOException {
        IOException failure = null;
        for (var each : opening) {
            if (each.awaitUninterruptibly().isSuccess()) {
                gate.accept(each.channel());
            } else {
                failure = new IOException(
                        "pod " + pod + ": cannot listen on port " + ProxyPorts.DNS + ": "
                                + each.cause().getMessage(),
                        each.cause());
                drop(each.channel());
            }
        }
        opening.clear();
        if (failure != null) {
            throw failure;
        }
    }

    private void drop(Channel failed) {
        for (var listener : List.copyOf(listeners)) {
            if (listener.channel.equals(failed)) {
                listeners.remove(listener);
                var _ = close(listener);
            }
        }
    }

    /// How many kinds of sockets {@link #copyTo} tells apart.
    ///
    /// @param datagrams whether those for datagrams are kept as well
    public int kinds(boolean datagrams) {
        int addresses =
                (int) desks.stream().map(desk -> desk.address).distinct().count();
        return datagrams ? 2 * addresses : addresses;
    }

    /// Adds descriptors of all sockets, at most so many of each kind.
    ///
    /// @param datagrams whether those for datagrams are kept as well
    public void copyTo(HeldListeners kept, int each, boolean datagrams) throws IOException {
        for (var address : desks.stream().map(desk -> desk.address).distinct().toList()) {
            for (var socket : some(Transport.TCP, address, each)) {
                kept.add(ProxyPorts.DNS, socket.copy());
            }
            if (datagrams) {
                for (var socket : some(Transport.UDP, address, each)) {
                    kept.addDatagrams(ProxyPorts.DNS, socket.copy());
                }
            }
        }
    }

    private List<Listener> some(Transport transport, InetSocketAddress address, int most) {
        return listeners.stream()
                .filter(listener -> listener.transport == transport && listener.desk.address.equals(address))
                .limit(most)
                .toList();
    }

    /// From now on the privileged half has the sockets for datagrams open as well.
    public void datagramsAreKept() {
        datagramsKept = true;
    }

    /// Whether a program waits for an answer, or has a connection and may ask. To be asked after {@link #stop}.
    public boolean isInUse() {
        return !inUse.isEmpty();
    }

    /// Nothing new is taken; what has been asked is answered, in the time that a resolver gets, and then the
    /// sockets close. Does nothing the second time.
    ///
    /// That is so where the sockets are kept: whoever has them next reads what comes meanwhile. Where they
    /// are not, an open socket that nobody reads would swallow its share of the queries, so those for
    /// datagrams close at once, and answers that are under way are lost.
    public void stop() {
        if (stopped) {
            return;
        }
        stopped = true;
        for (var listener : listeners) {
            if (listener.transport == Transport.TCP) {
                close(listener).awaitUninterruptibly();
            }
        }
        for (var desk : desks) {
            desk.loop.submit(() -> retire(desk)).awaitUninterruptibly();
        }
        listeners.clear();
        inUse.forEach(channel -> channel.pipeline().fireUserEventTriggered(StreamQueries.Event.LAST_QUERIES));
    }

    /// On the loop.
    private void retire(Desk desk) {
        var datagrams = listeners.stream()
                .filter(listener -> listener.transport == Transport.UDP && listener.desk.equals(desk))
                .toList();
        datagrams.forEach(listener -> listener.channel.config().setAutoRead(false));
        Runnable end = () -> {
            for (var listener : datagrams) {
                var _ = close(listener);
            }
            desk.destinations.close();
        };
        if (datagramsKept) {
            desk.queries.whenIdle(end);
        } else {
            end.run();
        }
    }

    /// Out of epoll first: others may have the socket open as well, see {@link
    /// io.loam.agent.workload.WorkloadProxy}.
    private ChannelFuture close(Listener listener) {
        var promise = listener.channel.newPromise();
        var _ = listener.channel.deregister().addListener(_ -> {
            services.limits.giveListener();
            if (listener.transport == Transport.UDP) {
                services.limits.giveListener();
            }
            var _ = listener.channel.close(promise);
        });
        return promise;
    }

    /// What the sockets of one address share on one loop.
    private record Desk(
            EventLoop loop, InetSocketAddress address, PodQueries queries, OriginalDestinations destinations) {}

    private record Listener(Transport transport, Desk desk, Channel channel) {
        FileDescriptor copy() throws IOException {
            return FileDescriptor.duplicate(((UnixChannel) channel).fd().intValue());
        }
    }
}
