package io.netty.channel.epoll;

import java.io.IOException;

/// Keeps a half-closed socket in its event loop's epoll set, and the ears open for its end. Lies in Netty's package
/// because what it needs is not public there.
///
/// Netty 4.2 (still in 4.2.20) takes a socket out of the set when it wants no event of it any more, which is the case
/// once the peer's FIN was read, but forgets that it did. The next write that fills the send buffer wants to be told
/// when there is room again, asks for a change of what is not in the set (`epoll_ctl` fails with ENOENT), and the
/// output is shut down with bytes in it: who sent FIN first and then received much lost the rest.
///
/// Once it has read the FIN twice, Netty does not read any more, which is right; but a RST behind the FIN is reported
/// as something to read and by nothing else, so that a connection without traffic would never end (hazard T9).
///
/// All methods are called on the channel's event loop.
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

    /// Lets the next event be read again, and so be announced by a `ChannelInputShutdownReadComplete`. To be called
    /// after each of these. Edge-triggered, that is one read per event.
    public static void listenForReset(EpollSocketChannel channel) {
        channel.inputClosedSeenErrorOnRead = false;
    }

    /// What the kernel has to say of the connection: it does not say it to a read behind the FIN. Asking clears it.
    ///
    /// @return an errno, 0 for a connection that lives
    public static int pendingError(EpollSocketChannel channel) throws IOException {
        return channel.socket.getSoError();
    }
}
