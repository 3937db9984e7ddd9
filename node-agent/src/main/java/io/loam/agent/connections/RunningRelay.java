package io.loam.agent.connections;

import io.loam.runtime.relay.Relay;
import io.loam.runtime.relay.SocketRelay;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// A relay while it runs: publishes its byte counts once a second and remembers why it was broken off, if it was.
/// Belongs to the connection's event loop.
public final class RunningRelay {
    private static final long PUBLISH_SECONDS = 1;

    private final Consumer<String> abort;
    private final Future<?> publishing;
    private @Nullable ErrorCode abortCode;

    private RunningRelay(
            Consumer<String> abort, LongSupplier from, LongSupplier to, EventLoop loop, ConnectionReport report) {
        this.abort = abort;
        publishing = loop.scheduleAtFixedRate(
                () -> report.progress(from.getAsLong(), to.getAsLong()),
                PUBLISH_SECONDS,
                PUBLISH_SECONDS,
                TimeUnit.SECONDS);
    }

    public static RunningRelay of(Relay relay, EventLoop loop, ConnectionReport report) {
        return new RunningRelay(relay::abort, relay::bytesFromApplication, relay::bytesToApplication, loop, report);
    }

    public static RunningRelay of(SocketRelay relay, EventLoop loop, ConnectionReport report) {
        return new RunningRelay(relay::abort, relay::bytesFromApplication, relay::bytesToApplication, loop, report);
    }

    public void abort(ErrorCode code, String reason) {
        abortCode = code;
        abort.accept(reason);
    }

    /// Why {@link #abort} was called, or null.
    public @Nullable ErrorCode abortCode() {
        return abortCode;
    }

    /// The relay has ended: no more timer.
    public void ended() {
        publishing.cancel(false);
    }
}
