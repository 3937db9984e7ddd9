package io.loam.agent.pod;

import io.loam.protocol.linux.Conntrack;
import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.SocketOptions;
import io.loam.runtime.config.SocketConfig;
import io.loam.runtime.tunnel.TunnelSocketOptions;
import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.SocketProtocolFamily;
import io.netty.channel.unix.UnixChannelOption;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;

/// Opens sockets in a pod's network namespace. Each carries the mark that exempts it from redirection,
/// listeners included (a mark on a listener is inherited by what it accepts; without it the replies vanish).
/// Keep-alive times are inherited from the listener as well, so that an accepted connection costs no system
/// call for its options; TCP_NODELAY is set by Netty on every socket.
///
/// An option that the kernel refuses is an error here: Netty would log it and go on with a socket that is
/// captured again.
///
/// Called on platform threads only (event loops, the ZDS thread), since entering a namespace changes the
/// thread.
public final class PodSockets {
    /// What waits in the kernel between us and a program of the pod. No network lies between whose delay
    /// needs more, and bytes that wait longer have left the cache when they are copied: 8 connections in bulk
    /// cost 1.23 CPU seconds per GB with the kernel's own sizes (up to tens of MiB) and 1.06 with this. Every
    /// kernel allows this much, and doubles it for its own books.
    private static final int LOCAL_BUFFER_BYTES = 208 << 10;

    /// What a socket for datagrams keeps of those that nobody reads, because no agent lives (hazard P4).
    /// Every kernel allows this much, doubles it for its own books, and counts some 800 bytes for a query:
    /// there is room for more than 500, as many of one pod as may wait for its resolvers.
    private static final int QUEUE_BYTES = 208 << 10;

    private final Netns netns;
    private final SocketConfig config;

    /// @param netns owned by the caller
    public PodSockets(Netns netns, SocketConfig config) {
        this.netns = netns;
        this.config = config;
    }

    /// An unregistered listener, dual-stack or IPv4 only as configured.
    public EpollServerSocketChannel listener() throws IOException {
        var family = config.ipv6() ? SocketProtocolFamily.INET6 : SocketProtocolFamily.INET;
        var channel = opened(() -> new EpollServerSocketChannel(family));
        try {
            inherited(channel);
            set(channel, ChannelOption.SO_REUSEADDR, true);
            set(channel, UnixChannelOption.SO_REUSEPORT, config.reusePort());
            return channel;
        } catch (IOException | RuntimeException e) {
            discard(channel);
            throw e;
        }
    }

    /// A listener that a predecessor opened, unregistered, with the options of ours.
    ///
    /// @param socket listens already, in the family that {@link SocketConfig#ipv6} wants; passes into the
    ///     ownership of the result, or is closed
    public EpollServerSocketChannel adopted(FileDescriptor socket) throws IOException {
        var channel = new EpollServerSocketChannel(socket.detach());
        try {
            inherited(channel);
            return channel;
        } catch (IOException | RuntimeException e) {
            discard(channel);
            throw e;
        }
    }

    /// What accepted sockets get from their listener.
    private void inherited(EpollServerSocketChannel listener) throws IOException {
        set(listener, SocketOptions.MARK, config.mark());
        set(listener, EpollChannelOption.IP_TRANSPARENT, true);
        if (config.ipv6()) {
            set(listener, SocketOptions.IPV6_TRANSPARENT, 1);
        }
        keepAlive(listener);
    }

    /// An unregistered listener that only the pod's own programs reach.
    ///
    /// @param loopback the address it is going to listen on; decides the family
    public EpollServerSocketChannel localListener(InetAddress loopback) throws IOException {
        var channel = opened(() -> new EpollServerSocketChannel(family(loopback)));
        try {
            set(channel, SocketOptions.MARK, config.mark());
            set(channel, ChannelOption.SO_REUSEADDR, true);
            set(channel, UnixChannelOption.SO_REUSEPORT, config.reusePort());
            return channel;
        } catch (IOException | RuntimeException e) {
            discard(channel);
            throw e;
        }
    }

    /// As {@link #localListener}, for datagrams.
    public EpollDatagramChannel localDatagrams(InetAddress loopback) throws IOException {
        var channel = datagrams(loopback);
        try {
            set(channel, UnixChannelOption.SO_REUSEPORT, config.reusePort());
            set(channel, ChannelOption.SO_RCVBUF, QUEUE_BYTES);
            return channel;
        } catch (IOException | RuntimeException e) {
            discard(channel);
            throw e;
        }
    }

    /// A {@link #localListener} that a predecessor opened and bound, unregistered.
    ///
    /// @param socket listens already; passes into the ownership of the result, or is closed
    public EpollServerSocketChannel adoptedLocal(FileDescriptor socket) throws IOException {
        var channel = new EpollServerSocketChannel(socket.detach());
        try {
            set(channel, SocketOptions.MARK, config.mark());
            return channel;
        } catch (IOException | RuntimeException e) {
            discard(channel);
            throw e;
        }
    }

    /// A socket of {@link #localDatagrams} that a predecessor opened and bound, unregistered.
    ///
    /// @param socket passes into the ownership of the result, or is closed
    public EpollDatagramChannel adoptedDatagrams(FileDescriptor socket) throws IOException {
        var channel = new EpollDatagramChannel(socket.detach());
        try {
            set(channel, SocketOptions.MARK, config.mark());
            set(channel, ChannelOption.SO_RCVBUF, QUEUE_BYTES);
            return channel;
        } catch (IOException | RuntimeException e) {
            discard(channel);
            throw e;
        }
    }

    /// An unregistered socket for datagrams, of the target's family.
    public EpollDatagramChannel datagrams(InetAddress target) throws IOException {
        var channel = opened(() -> new EpollDatagramChannel(family(target)));
        try {
            set(channel, SocketOptions.MARK, config.mark());
            return channel;
        } catch (IOException | RuntimeException e) {
            discard(channel);
            throw e;
        }
    }

    /// For questions about where redirected datagrams were sent to.
    public Conntrack conntrack() throws IOException {
        return Conntrack.open(netns);
    }

    /// An unregistered socket of the target's family with the pod's own address as source.
    public EpollSocketChannel dialling(InetAddress target) throws IOException {
        var channel = opened(() -> new EpollSocketChannel(family(target)));
        try {
            set(channel, SocketOptions.MARK, config.mark());
            set(channel, EpollChannelOption.IP_BIND_ADDRESS_NO_PORT, true);
            keepAlive(channel);
            return channel;
        } catch (IOException | RuntimeException e) {
            discard(channel);
            throw e;
        }
    }

    /// As {@link #dialling}, for the source address of somebody else: the application sees its real caller.
    public EpollSocketChannel spoofing(InetAddress target) throws IOException {
        var channel = dialling(target);
        try {
            set(channel, EpollChannelOption.IP_TRANSPARENT, true);
            set(channel, SocketOptions.FREEBIND, 1);
            if (target instanceof Inet6Address) {
                set(channel, SocketOptions.IPV6_TRANSPARENT, 1);
                set(channel, SocketOptions.IPV6_FREEBIND, 1);
            }
            return channel;
        } catch (IOException | RuntimeException e) {
            discard(channel);
            throw e;
        }
    }

    /// For a connection of an application, dialled or accepted: nothing is read before somebody takes the
    /// bytes, and one direction may end before the other.
    public void application(Channel channel) throws IOException {
        set(channel, ChannelOption.ALLOW_HALF_CLOSURE, true);
        set(channel, ChannelOption.AUTO_READ, false);
    }

    /// As {@link #application}, for a program of this pod.
    public void localApplication(Channel channel) throws IOException {
        application(channel);
        set(channel, ChannelOption.SO_RCVBUF, LOCAL_BUFFER_BYTES);
        set(channel, ChannelOption.SO_SNDBUF, LOCAL_BUFFER_BYTES);
    }

    /// For a tunnel, dialled or accepted.
    public void tunnel(Channel channel) {
        TunnelSocketOptions.applyTo(channel);
    }

    private void keepAlive(Channel channel) throws IOException {
        var keepAlive = config.keepAlive();
        if (keepAlive.enabled()) {
            set(channel, SocketOptions.KEEP_ALIVE, 1);
            set(channel, SocketOptions.KEEP_IDLE_SECONDS, (int) keepAlive.time().toSeconds());
            set(channel, SocketOptions.KEEP_INTERVAL_SECONDS, (int)
                    keepAlive.interval().toSeconds());
            set(channel, SocketOptions.KEEP_COUNT, keepAlive.retries());
            if (keepAlive.userTimeout()) {
                var probes = keepAlive.interval().multipliedBy(keepAlive.retries());
                set(channel, SocketOptions.USER_TIMEOUT_MILLIS, (int)
                        keepAlive.time().plus(probes).toMillis());
            }
        }
    }

    public SocketConfig config() {
        return config;
    }

    /// Netty reports a socket that cannot be had, for example for want of descriptors, as if it were a bug.
    private <C extends Channel> C opened(Netns.Task<C, RuntimeException> open) throws IOException {
        try {
            return netns.call(open);
        } catch (ChannelException e) {
            throw new IOException(String.valueOf(e.getMessage()), e);
        }
    }

    private static SocketProtocolFamily family(InetAddress target) {
        return target instanceof Inet6Address ? SocketProtocolFamily.INET6 : SocketProtocolFamily.INET;
    }

    private static <T> void set(Channel channel, ChannelOption<T> option, T value) throws IOException {
        if (!channel.config().setOption(option, value)) {
            throw new IOException(option + " is not an option of " + channel);
        }
    }

    private static void discard(Channel channel) {
        channel.unsafe().closeForcibly(); // not registered yet, so there is no loop to close it on
    }
}
