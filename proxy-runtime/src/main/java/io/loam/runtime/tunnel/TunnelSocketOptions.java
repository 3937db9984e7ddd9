package io.loam.runtime.tunnel;

import io.loam.protocol.tls.MeshTls;
import io.loam.runtime.relay.AdaptiveReads;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollSocketChannel;

/// What both ends of a tunnel set on its socket. TCP_NODELAY is not among them, because Netty sets it on every socket.
public final class TunnelSocketOptions {
    /// Bytes of all streams that wait for the socket; above the high mark the applications are not read (fast path,
    /// rule 10). Twice of what the rule says: one application's turn is 256 KiB, and with eight in bulk a GB cost
    /// 4 to 10 % more when each of them stopped the others.
    private static final WriteBufferWaterMark WRITE_MARKS = new WriteBufferWaterMark(256 << 10, 512 << 10);

    /// Unsent bytes in the kernel, so that a small stream does not queue behind megabytes of a large one. Half of
    /// what rule 13 says: 8 connections in bulk cost 1.11 CPU seconds per GB with 64 KiB, 1.18 to 1.37 with 128.
    private static final long NOT_SENT_LOW_WATER_BYTES = 64L << 10;

    private static final AdaptiveReads READS = new AdaptiveReads(MeshTls.ROOM_BEFORE_READ_BYTES, 80 << 10);

    private TunnelSocketOptions() {}

    /// @param channel of a tunnel, before or after it is connected
    public static void applyTo(Channel channel) {
        var config = channel.config();
        config.setWriteBufferWaterMark(WRITE_MARKS);
        config.setOption(ChannelOption.RECVBUF_ALLOCATOR, READS);
        if (channel instanceof EpollSocketChannel) {
            config.setOption(EpollChannelOption.TCP_NOTSENT_LOWAT, NOT_SENT_LOW_WATER_BYTES);
        }
    }
}
