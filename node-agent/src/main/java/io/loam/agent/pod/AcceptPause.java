package io.loam.agent.pod;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Stops a listener that cannot accept, for want of descriptors as a rule, for 100 ms, over and over until it can
/// (hazard P10): the connection that waits in the backlog would wake the loop up again at once. Who is connected is
/// not touched. Netty by itself pauses for a whole second.
///
/// One handler for all listeners; thread-safe.
@ChannelHandler.Sharable
public final class AcceptPause extends ChannelInboundHandlerAdapter {
    private static final Logger log = LoggerFactory.getLogger(AcceptPause.class);
    private static final long PAUSE_MILLIS = 100;

    private final Counter failures;
    private final Gauge paused;
    private final AtomicInteger pausing = new AtomicInteger();

    /// @param registry where failures to accept are counted
    public AcceptPause(PrometheusRegistry registry) {
        failures = Counter.builder()
                .name("loam_accept_failures")
                .help("Connections that could not be accepted, for want of descriptors as a rule")
                .register(registry);
        paused = Gauge.builder()
                .name("loam_accept_paused_listeners")
                .help("Listeners that take no connections at the moment because accepting failed")
                .register(registry);
    }

    /// Ends here: Netty's own handler behind this one would pause as well, and log each time.
    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        failures.inc();
        if (!ctx.channel().config().isAutoRead()) {
            return;
        }
        ctx.channel().config().setAutoRead(false);
        if (pausing.getAndIncrement() == 0) {
            log.error(
                    "cannot accept connections, pausing listener={}",
                    ctx.channel().localAddress(),
                    cause);
        }
        paused.inc();
        var _ = ctx.executor().schedule(() -> resume(ctx), PAUSE_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void resume(ChannelHandlerContext ctx) {
        pausing.decrementAndGet();
        paused.dec();
        ctx.channel().config().setAutoRead(true); // does nothing once the listener is closed
    }
}
