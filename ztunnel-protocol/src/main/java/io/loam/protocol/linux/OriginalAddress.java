package io.loam.protocol.linux;

import io.netty.channel.ChannelException;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/// What a captured connection was addressed to before the kernel redirected it to us.
public final class OriginalAddress {
    private OriginalAddress() {}

    /// Asks the kernel's connection tracking; without an entry there the socket's own address is the answer. IPv4
    /// addresses mapped into IPv6 are folded back (wire reference, 1.2).
    ///
    /// @param channel an accepted connection; on its event loop
    public static InetSocketAddress of(EpollSocketChannel channel) {
        var local = folded(channel.localAddress());
        var option = local.getAddress() instanceof Inet4Address
                ? SocketOptions.ORIGINAL_DESTINATION_V4
                : SocketOptions.ORIGINAL_DESTINATION_V6;
        try {
            var address = parse(channel.config().getOption(option));
            return address == null ? local : address;
        } catch (ChannelException _) { // ENOENT: the connection is not tracked, so nothing redirected it
            return local;
        }
    }

    /// @return `address` with an IPv4 address in place of one mapped into IPv6 (`::ffff:a.b.c.d`)
    public static InetSocketAddress folded(InetSocketAddress address) {
        var bytes = address.getAddress().getAddress();
        if (bytes.length == 16) {
            return new InetSocketAddress(fold(bytes), address.getPort());
        }
        return address;
    }

    /// @param sockaddr struct sockaddr_in or sockaddr_in6 from its beginning
    /// @return null if it is of no address family we know
    static @Nullable InetSocketAddress parse(@Nullable ByteBuffer sockaddr) {
        if (sockaddr == null) {
            return null;
        }
        var view = sockaddr.duplicate().clear();
        var family = view.order(ByteOrder.nativeOrder()).getShort(0);
        var port = Short.toUnsignedInt(view.order(ByteOrder.BIG_ENDIAN).getShort(2));
        return switch (family) {
            case 2 -> new InetSocketAddress(fold(bytes(view, 4, 4)), port); // AF_INET: address at 4
            case 10 -> new InetSocketAddress(fold(bytes(view, 8, 16)), port); // AF_INET6: flow at 4, address at 8
            default -> null;
        };
    }

    private static byte[] bytes(ByteBuffer from, int offset, int length) {
        var bytes = new byte[length];
        from.get(offset, bytes);
        return bytes;
    }

    /// InetAddress itself folds mapped addresses.
    private static InetAddress fold(byte[] bytes) {
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(bytes.length + " bytes (expected: 4 or 16)", e);
        }
    }
}
