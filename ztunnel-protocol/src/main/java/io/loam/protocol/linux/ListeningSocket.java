package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;

/// What a descriptor from another process really is, asked of the kernel.
public final class ListeningSocket {
    /// struct sockaddr_in6; sockaddr_in is shorter. Both: family 0, port 2 in network byte order.
    private static final int ADDRESS_BYTES = 28;

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
        int bound = port(socket);
        if (bound != port) {
            throw new IOException(socket + ": listens on port " + bound + " (expected: " + port + ")");
        }
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

    private static int port(FileDescriptor socket) throws IOException {
        try (var arena = Arena.ofConfined()) {
            var address = arena.allocate(ADDRESS_BYTES, 4);
            Libc.getsockname(socket.requireOpen(), address);
            return (Byte.toUnsignedInt(address.get(JAVA_BYTE, 2)) << 8) + Byte.toUnsignedInt(address.get(JAVA_BYTE, 3));
        }
    }
}
