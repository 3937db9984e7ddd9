package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/// What a descriptor from another process really is, asked of the kernel.
public final class ListeningSocket {
    /// struct sockaddr_in6; sockaddr_in is shorter. Both: family 0, port 2 in network byte order.
    private static final int ADDRESS_BYTES = 28;

    private static final int IPV4_AT = 4;
    private static final int IPV6_AT = 8;

    private ListeningSocket() {}

    /// Who a connection belongs to follows from the namespace that accepted it (hazards I12, I13): a socket
    /// under another pod's name would give its connections that pod's identity. So no descriptor is taken at
    /// its word.
    ///
    /// @param port it is said to listen on
    /// @param netns of the pod it is said to belong to
    /// @throws IOException if it is anything but a TCP socket that listens on this port in this namespace
    public static void require(FileDescriptor socket, int port, Netns netns) throws IOException {
        if (option(socket, Libc.SO_PROTOCOL) != Libc.IPPROTO_TCP || option(socket, Libc.SO_ACCEPTCONN) != 1) {
            throw new IOException(socket + ": not a listening TCP socket");
        }
        requirePort(socket, port);
        requireHome(socket, netns);
    }

    /// As {@link #require}, for datagrams.
    ///
    /// @throws IOException if it is anything but a UDP socket on this port in this namespace
    public static void requireDatagrams(FileDescriptor socket, int port, Netns netns) throws IOException {
        if (option(socket, Libc.SO_PROTOCOL) != Libc.IPPROTO_UDP) {
            throw new IOException(socket + ": not a UDP socket");
        }
        requirePort(socket, port);
        requireHome(socket, netns);
    }

    private static void requirePort(FileDescriptor socket, int port) throws IOException {
        int bound = address(socket).getPort();
        if (bound != port) {
            throw new IOException(socket + ": listens on port " + bound + " (expected: " + port + ")");
        }
    }

    private static void requireHome(FileDescriptor socket, Netns netns) throws IOException {
        try (var home = new FileDescriptor(Libc.socketNamespace(socket.requireOpen()))) {
            if (home.inode() != netns.inode()) {
                throw new IOException(socket + ": belongs to network namespace " + home.inode() + " (expected: "
                        + netns.inode() + ")");
            }
        }
    }

    /// Whether it takes IPv6 as well, by its family.
    public static boolean isIpv6(FileDescriptor socket) throws IOException {
        return option(socket, Libc.SO_DOMAIN) == Libc.AF_INET6;
    }

    private static int option(FileDescriptor socket, int option) throws IOException {
        try (var arena = Arena.ofConfined()) {
            var value = arena.allocate(JAVA_INT);
            Libc.getsockopt(socket.requireOpen(), Libc.SOL_SOCKET, option, value);
            return value.get(JAVA_INT, 0);
        }
    }

    /// Where it listens; for one of IPv6 that takes both families `::`.
    public static InetSocketAddress address(FileDescriptor socket) throws IOException {
        boolean ipv6 = isIpv6(socket);
        try (var arena = Arena.ofConfined()) {
            var address = arena.allocate(ADDRESS_BYTES, 4);
            Libc.getsockname(socket.requireOpen(), address);
            int port = (Byte.toUnsignedInt(address.get(JAVA_BYTE, 2)) << 8)
                    + Byte.toUnsignedInt(address.get(JAVA_BYTE, 3));
            var bytes = new byte[ipv6 ? 16 : 4];
            MemorySegment.copy(address, JAVA_BYTE, ipv6 ? IPV6_AT : IPV4_AT, bytes, 0, bytes.length);
            return new InetSocketAddress(InetAddress.getByAddress(bytes), port);
        }
    }
}
