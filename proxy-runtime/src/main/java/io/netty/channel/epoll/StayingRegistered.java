package io.netty.channel.epoll;

import java.io.IOException;

/// Keeps a half-closed socket in its event loop's epoll set. Lies in Netty's package because the method it needs is
/// protected there.
///
/// Netty 4.2 (still in 4.2.20) takes a socket out of the set when it wants no event of it any more, which is the case
/// once the peer's FIN was read, but forgets that it did. The next write that fills the send buffer wants to be told
/// when there is room again, asks for a change of what is not in the set (`epoll_ctl` fails with ENOENT), and the
/// output is shut down with bytes in it: who sent FIN first and then received much lost the rest.
///
/// Both methods are called on the channel's event loop.
public final class StayingRegistered {
    private StayingRegistered() {}

    /// From now on some event is always wanted: the one that the kernel reports unasked anyway.
    public static void keep(EpollSocketChannel channel) throws IOException {
        channel.setFlag(Native.EPOLLERR);
    }

    /// From the end of input on nothing would be read that ends a lasting condition such as a hang-up: it is reported
    /// once, instead of again and again.
    public static void afterEndOfInput(EpollSocketChannel channel) throws IOException {
        channel.setFlag(Native.EPOLLET);
    }
}
