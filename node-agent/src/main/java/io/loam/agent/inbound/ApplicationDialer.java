package io.loam.agent.inbound;

import io.loam.agent.pod.LocalPod;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/// Connects to the pod's application with the caller's address as source, so that the application sees who called.
/// The mark of the socket and the return rule in the pod bring the answers back to us (wire reference, 1.8).
final class ApplicationDialer {
    private ApplicationDialer() {}

    /// On `loop`.
    ///
    /// @param source of the caller; where it is of another family, or the target itself, the kernel's choice is
    ///     used
    /// @throws IOException if no socket can be had
    static ChannelFuture dial(LocalPod pod, EventLoop loop, InetSocketAddress target, InetAddress source)
            throws IOException {
        var sockets = pod.sockets();
        var address = target.getAddress();
        boolean keepSource =
                sockets.config().keepSource() && address.getClass() == source.getClass() && !address.equals(source);
        EpollSocketChannel socket = keepSource ? sockets.spoofing(address) : sockets.dialling(address);
        sockets.application(socket);
        var bootstrap = new Bootstrap()
                .group(loop)
                .channelFactory(() -> socket)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int)
                        sockets.config().connectTimeout().toMillis())
                .handler(new ChannelInboundHandlerAdapter());
        return keepSource ? bootstrap.connect(target, new InetSocketAddress(source, 0)) : bootstrap.connect(target);
    }
}
