package io.loam.lab.dns;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.dns.DatagramDnsQuery;
import io.netty.handler.codec.dns.DatagramDnsResponse;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One datagram in, one out.
final class UdpQueryHandler extends SimpleChannelInboundHandler<DatagramDnsQuery> {
    private static final Logger LOG = LoggerFactory.getLogger(UdpQueryHandler.class);

    /// RFC 1035, 4.2.1: 512 bytes without EDNS. A header takes 12, the question at most 260, and an AAAA record
    /// whose name repeats the question's up to 283; with the names of a cluster (about 60 bytes) five are safe.
    private static final int MAX_ADDRESSES = 5;

    private final Supplier<DnsView> view;

    UdpQueryHandler(Supplier<DnsView> view) {
        this.view = view;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, DatagramDnsQuery query) {
        var answer =
                new DatagramDnsResponse(/* sender= */ query.recipient(), /* recipient= */ query.sender(), query.id());
        var _ = ctx.writeAndFlush(DnsAnswers.fill(answer, query, view.get(), MAX_ADDRESSES), ctx.voidPromise());
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        LOG.debug("dns: a datagram is dropped: {}", cause.toString()); // not a query: whoever sent it asks again
    }
}
