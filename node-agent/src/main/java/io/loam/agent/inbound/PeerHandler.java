package io.loam.agent.inbound;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;

/// Waits for the end of the TLS handshake and says how it ended. What the peer sends behind its handshake is not here
/// yet: TLS delivers it after this event, to whatever stands in this handler's place by then.
final class PeerHandler extends ChannelInboundHandlerAdapter {
    private final SslHandler tls;
    private final Outcome outcome;
    private boolean told;

    PeerHandler(SslHandler tls, Outcome outcome) {
        this.tls = tls;
        this.outcome = outcome;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof SslHandshakeCompletionEvent handshake && !told) {
            told = true;
            if (handshake.isSuccess()) {
                outcome.onProved(ctx, tls);
            } else {
                outcome.onFailed(handshake.cause());
            }
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (!told) { // a failed handshake is told by its event as well; the first one counts
            told = true;
            outcome.onFailed(cause);
        }
        var _ = ctx.close();
    }

    interface Outcome {
        void onProved(ChannelHandlerContext ctx, SslHandler tls);

        void onFailed(Throwable cause);
    }
}
