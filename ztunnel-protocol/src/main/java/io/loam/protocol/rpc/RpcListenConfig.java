package io.loam.protocol.rpc;

import io.netty.channel.ChannelFactory;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.net.InetSocketAddress;
import java.time.Duration;

/// Where and how a gRPC server listens.
///
/// @param address port 0 = any free one
/// @param channels makes the listening epoll channel, so that the socket can be opened inside a network
///     namespace; called once, on a thread of the server
/// @param maxRequestBytes largest message taken from a client, before any of it is believed
/// @param maxConnectionAge connections are ended gracefully after this time (plus up to 10 %), so that a long
///     stream does not outlive the token it was opened with for long
public record RpcListenConfig(
        InetSocketAddress address,
        ChannelFactory<? extends ServerChannel> channels,
        int maxRequestBytes,
        Duration maxConnectionAge) {
    public RpcListenConfig {
        if (maxRequestBytes < 1024) {
            throw new IllegalArgumentException("maxRequestBytes: " + maxRequestBytes + " (expected: >= 1024)");
        }
        if (maxConnectionAge.compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException("maxConnectionAge: " + maxConnectionAge + " (expected: >= PT1S)");
        }
    }

    /// Listens in the namespace of the process.
    public static RpcListenConfig of(InetSocketAddress address, int maxRequestBytes, Duration maxConnectionAge) {
        return new RpcListenConfig(address, EpollServerSocketChannel::new, maxRequestBytes, maxConnectionAge);
    }
}
