package io.loam.lab.dns;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.socket.DatagramChannel;
import io.netty.handler.codec.dns.DatagramDnsQueryDecoder;
import io.netty.handler.codec.dns.DatagramDnsResponseEncoder;
import io.netty.handler.codec.dns.TcpDnsQueryDecoder;
import io.netty.handler.codec.dns.TcpDnsResponseEncoder;
import io.netty.handler.timeout.ReadTimeoutHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/// The cluster's name server, over UDP and TCP. {@link #close} ends it.
///
/// It knows the names of the cluster and nothing else: every other name does not exist. What pods resolve beyond
/// that is not part of a lab, which must not depend on the network it happens to run in.
public final class ClusterDns implements AutoCloseable {
    /// As in the wire reference, section 9.
    private static final int TCP_IDLE_SECONDS = 5;

    private final MultiThreadIoEventLoopGroup loop;
    private final List<Channel> listeners;

    private ClusterDns(MultiThreadIoEventLoopGroup loop, List<Channel> listeners) {
        this.loop = loop;
        this.listeners = List.copyOf(listeners);
    }

    /// Returns once it listens on all addresses.
    ///
    /// @param addresses for UDP and TCP alike; port 0 = any free one, the same for both
    /// @param udp makes epoll datagram channels, inside the network namespace they are to serve; called on the
    ///     calling thread, once per address
    /// @param tcp the same for TCP
    /// @param view asked once per query, on the event loop
    /// @throws IOException if an address cannot be bound
    public static ClusterDns start(
            List<InetSocketAddress> addresses,
            ChannelFactory<? extends DatagramChannel> udp,
            ChannelFactory<? extends ServerChannel> tcp,
            Supplier<DnsView> view)
            throws IOException {
        var loop = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory("cluster-dns", true), EpollIoHandler.newFactory());
        var datagrams = new Bootstrap().group(loop).channelFactory(udp).handler(udpPipeline(view));
        var connections = new ServerBootstrap().group(loop).channelFactory(tcp).childHandler(tcpPipeline(view));
        var listeners = new ArrayList<Channel>();
        for (var address : addresses) {
            var stream = connections.bind(address).awaitUninterruptibly();
            if (stream.isSuccess()) {
                listeners.add(stream.channel());
                // With port 0 the second socket has to take the port of the first.
                var port = ((InetSocketAddress) stream.channel().localAddress()).getPort();
                stream = datagrams.bind(address.getAddress(), port).awaitUninterruptibly();
            }
            if (!stream.isSuccess()) {
                loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
                throw new IOException("cluster DNS cannot listen on " + address, stream.cause());
            }
            listeners.add(stream.channel());
        }
        return new ClusterDns(loop, listeners);
    }

    /// The address it was given first, with the port it was given.
    public InetSocketAddress address() {
        return (InetSocketAddress) listeners.getFirst().localAddress();
    }

    @Override
    public void close() {
        listeners.forEach(listener -> listener.close().awaitUninterruptibly());
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
    }

    private static ChannelInitializer<Channel> udpPipeline(Supplier<DnsView> view) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline()
                        .addLast("query", new DatagramDnsQueryDecoder())
                        .addLast("response", new DatagramDnsResponseEncoder())
                        .addLast("answer", new UdpQueryHandler(view));
            }
        };
    }

    private static ChannelInitializer<Channel> tcpPipeline(Supplier<DnsView> view) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline()
                        .addLast("idle", new ReadTimeoutHandler(TCP_IDLE_SECONDS)) // a client that asks no more
                        .addLast("query", new TcpDnsQueryDecoder()) // two bytes of length, then the message
                        .addLast("response", new TcpDnsResponseEncoder())
                        .addLast("answer", new TcpQueryHandler(view));
            }
        };
    }
}
