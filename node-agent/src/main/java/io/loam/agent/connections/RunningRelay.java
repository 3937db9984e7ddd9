package io.loam.agent.connections;

import io.loam.runtime.relay.Relay;
import io.loam.runtime.relay.SocketRelay;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// A relay while it runs: publishes its byte counts once a second and remembers why it was broken off, if it was.
/// Belongs to the connection's event loop.
public final class RunningRelay {
    private final Consumer<String> abort;
    private final RelaySweep.Entry publishing;
    private @Nullable ErrorCode abortCode;

    private RunningRelay(
            Consumer<String> abort, LongSupplier from, LongSupplier to, RelaySweep sweep, ConnectionReport report) {
        this.abort = abort;
        publishing = sweep.add(() -> report.progress(from.getAsLong(), to.getAsLong()));
    }

    /// @param sweep of the connection's loop
    public static RunningRelay of(Relay relay, RelaySweep sweep, ConnectionReport report) {
        return new RunningRelay(relay::abort, relay::bytesFromApplication, relay::bytesToApplication, sweep, report);
    }

    public static RunningRelay of(SocketRelay relay, RelaySweep sweep, ConnectionReport report) {
        return new RunningRelay(relay::abort, relay::bytesFromApplication, relay::bytesToApplication, sweep, report);
    }

    public void abort(ErrorCode code, String reason) {
        abortCode = code;
        abort.accept(reason);
    }

    /// Why {@link #abort} was called, or null.
    public @Nullable ErrorCode abortCode() {
        return abortCode;
    }

    /// The relay has ended: its counts are final.
    public void ended() {
        publishing.remove();
    }
}
