package io.loam.agent.inbound;

import io.loam.agent.connections.Telemetry;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.DecoderException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The end of an accepted tunnel's pipeline. What nobody before it dealt with ends this connection: the peer's doing
/// quietly, a bug of ours counted and with its cause (hazards, rule 7).
final class TunnelTail extends ChannelInboundHandlerAdapter {
    private static final Logger log = LoggerFactory.getLogger(TunnelTail.class);

    private final Telemetry telemetry;

    TunnelTail(Telemetry telemetry) {
        this.telemetry = telemetry;
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        // What Netty's decoders throw is wrapped input of the peer: a TLS record that does not decrypt, for example.
        boolean bug =
                (cause instanceof RuntimeException && !(cause instanceof DecoderException)) || cause instanceof Error;
        if (bug) {
            telemetry.metrics().bug();
            log.error("tunnel ended by a bug peer={}", ctx.channel().remoteAddress(), cause);
        } else {
            log.debug("tunnel ended peer={}", ctx.channel().remoteAddress(), cause);
        }
        var _ = ctx.close();
    }
}
