package io.loam.agent.pod;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/// Dials with the pod's own address or, towards its applications, with that of their caller, so that they see who
/// called. The mark of the socket and the return rule in the pod bring the answers back to us (wire reference, 1.8).
public enum PodDialer implements Dialer {
    INSTANCE;

    /// Where `source` is of another family than the target, or the target itself, the kernel's choice is used.
    @Override
    public ChannelFuture dial(LocalPod pod, EventLoop loop, InetSocketAddress target, @Nullable InetAddress source)
            throws IOException {
        var sockets = pod.sockets();
        var address = target.getAddress();
        var seen = source != null
                        && sockets.config().keepSource()
                        && address.getClass() == source.getClass()
                        && !address.equals(source)
                ? source
                : null;
        EpollSocketChannel socket = seen == null ? sockets.dialling(address) : sockets.spoofing(address);
        if (source == null) {
            sockets.application(socket);
        } else {
            sockets.localApplication(socket);
        }
        var bootstrap = new Bootstrap()
                .group(loop)
                .channelFactory(() -> socket)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int)
                        sockets.config().connectTimeout().toMillis())
                .handler(new ChannelInboundHandlerAdapter());
        return seen == null ? bootstrap.connect(target) : bootstrap.connect(target, new InetSocketAddress(seen, 0));
    }
}
