package io.loam.agent.connections;

import io.loam.model.failure.ErrorCode;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.DuplexChannel;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The handler of a connection that an application opened to us, from the accept until the relay takes it over. A
/// refusal reaches the application as a reset, since an orderly end would look like an empty answer.
public final class AcceptedConnection extends ChannelInboundHandlerAdapter implements OpenConnection.Caller {
    private static final Logger log = LoggerFactory.getLogger(AcceptedConnection.class);

    private final Telemetry telemetry;
    private final FirstStep firstStep;
    private @Nullable DuplexChannel channel;
    private @Nullable OpenConnection connection;

    /// What this kind of connection begins with.
    public interface FirstStep {
        /// The socket is accepted; nothing of it has been read.
        ///
        /// @param caller for the connection that is made
        OpenConnection begin(DuplexChannel accepted, OpenConnection.Caller caller);
    }

    public AcceptedConnection(Telemetry telemetry, FirstStep firstStep) {
        this.telemetry = telemetry;
        this.firstStep = firstStep;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        channel = (DuplexChannel) ctx.channel();
        connection = firstStep.begin(channel, this);
    }

    /// The socket at the end of the pipeline hears of it too, and closes what an exception left open.
    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (connection != null) {
            connection.fail(ErrorCode.GAVE_UP, "the caller closed the connection before it was established");
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (connection == null) { // before anybody took the socket over: nothing behind this handler would close it
            log.error("connection ended by a bug peer={}", ctx.channel().remoteAddress(), cause);
            telemetry.metrics().bug();
            var _ = ctx.close();
            return;
        }
        if (cause instanceof IOException) {
            connection.fail(ErrorCode.GAVE_UP, "the caller's connection failed: " + cause.getMessage());
        } else {
            connection.bug(cause);
        }
        ctx.fireExceptionCaught(cause);
    }

    @Override
    public void refuse(ErrorCode code, String reason) {
        if (channel != null) {
            Resets.reset(channel);
        }
    }

    @Override
    public boolean holdsSocket() {
        return true;
    }

    @Override
    public void handOver() {
        if (channel != null) {
            leave(channel.pipeline());
        }
    }

    /// A channel that was closed meanwhile has emptied its pipeline.
    private void leave(ChannelPipeline pipeline) {
        if (pipeline.context(this) != null) {
            pipeline.remove(this);
        }
    }
}
