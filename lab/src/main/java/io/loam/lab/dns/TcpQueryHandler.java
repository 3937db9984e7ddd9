package io.loam.lab.dns;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.dns.DefaultDnsResponse;
import io.netty.handler.codec.dns.DnsQuery;
import io.netty.handler.timeout.ReadTimeoutException;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Queries of one connection, answered in their order.
final class TcpQueryHandler extends SimpleChannelInboundHandler<DnsQuery> {
    private static final Logger LOG = LoggerFactory.getLogger(TcpQueryHandler.class);

    /// 64 KiB of message hold 1,000 addresses of a name of 40 bytes.
    private static final int MAX_ADDRESSES = 1_000;

    private final Supplier<DnsView> view;

    TcpQueryHandler(Supplier<DnsView> view) {
        this.view = view;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, DnsQuery query) {
        var _ = ctx.writeAndFlush(
                DnsAnswers.fill(new DefaultDnsResponse(query.id()), query, view.get(), MAX_ADDRESSES));
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (!(cause instanceof ReadTimeoutException)) {
            LOG.debug("dns: a connection is closed: {}", cause.toString());
        }
        var _ = ctx.close();
    }
}
