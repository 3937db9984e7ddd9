package io.loam.protocol.linux;

import io.netty.channel.ChannelOption;
import io.netty.channel.unix.IntegerUnixChannelOption;
import io.netty.channel.unix.RawUnixChannelOption;
import java.nio.ByteBuffer;

/// Socket options that Netty has no names for, with the numbers of Linux (wire reference, 1.2). Those that Netty names
/// (IP_TRANSPARENT, IP_FREEBIND, IP_BIND_ADDRESS_NO_PORT, TCP_NOTSENT_LOWAT, TCP_USER_TIMEOUT) are in
/// `EpollChannelOption`.
public final class SocketOptions {
    private static final int SOL_IP = 0;
    private static final int SOL_SOCKET = 1;
    private static final int SOL_TCP = 6;
    private static final int SOL_IPV6 = 41;
    private static final int SOCKADDR_IN_BYTES = 16;
    private static final int SOCKADDR_IN6_BYTES = 28;

    /// Marks every packet of the socket; sockets accepted from a listener inherit it. Needs NET_ADMIN.
    public static final ChannelOption<Integer> MARK = new IntegerUnixChannelOption("SO_MARK", SOL_SOCKET, 36);

    /// Lets an IPv6 socket use a source address that is not this host's; on dual-stack sockets besides IP_TRANSPARENT.
    public static final ChannelOption<Integer> IPV6_TRANSPARENT =
            new IntegerUnixChannelOption("IPV6_TRANSPARENT", SOL_IPV6, 75);

    /// Netty knows its own name for it on listeners and datagrams only, not on connections.
    public static final ChannelOption<Integer> FREEBIND = new IntegerUnixChannelOption("IP_FREEBIND", SOL_IP, 15);

    public static final ChannelOption<Integer> IPV6_FREEBIND =
            new IntegerUnixChannelOption("IPV6_FREEBIND", SOL_IPV6, 78);

    /// Keep-alive by number, since Netty names it for connections only and listeners hand it on to what they accept.
    public static final ChannelOption<Integer> KEEP_ALIVE = new IntegerUnixChannelOption("SO_KEEPALIVE", SOL_SOCKET, 9);

    public static final ChannelOption<Integer> KEEP_IDLE_SECONDS =
            new IntegerUnixChannelOption("TCP_KEEPIDLE", SOL_TCP, 4);

    public static final ChannelOption<Integer> KEEP_INTERVAL_SECONDS =
            new IntegerUnixChannelOption("TCP_KEEPINTVL", SOL_TCP, 5);

    public static final ChannelOption<Integer> KEEP_COUNT = new IntegerUnixChannelOption("TCP_KEEPCNT", SOL_TCP, 6);

    public static final ChannelOption<Integer> USER_TIMEOUT_MILLIS =
            new IntegerUnixChannelOption("TCP_USER_TIMEOUT", SOL_TCP, 18);

    /// What an IPv4 connection was addressed to before a REDIRECT, as struct sockaddr_in; see {@link OriginalAddress}.
    static final ChannelOption<ByteBuffer> ORIGINAL_DESTINATION_V4 =
            new RawUnixChannelOption("SO_ORIGINAL_DST", SOL_IP, 80, SOCKADDR_IN_BYTES);

    /// The same for IPv6, as struct sockaddr_in6.
    static final ChannelOption<ByteBuffer> ORIGINAL_DESTINATION_V6 =
            new RawUnixChannelOption("IP6T_SO_ORIGINAL_DST", SOL_IPV6, 80, SOCKADDR_IN6_BYTES);

    private SocketOptions() {}
}
