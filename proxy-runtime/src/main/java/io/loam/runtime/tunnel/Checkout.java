package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.ConnectFailure;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.PendingConnect;
import io.loam.protocol.hbone.StreamOpening;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.netty.channel.EventLoop;
import org.jspecify.annotations.Nullable;

/// One connection that wants a stream, from {@link TunnelPool#open} to the answer.
final class Checkout implements PendingConnect, StreamOpening {
    /// Tunnels that are tried when peers drain, shrink their limit or vanish; each time is a tunnel of its own.
    private static final int MAX_ATTEMPTS = 4;

    private final TunnelPool pool;
    private final TunnelKey key;
    private final EventLoop loop;
    private final ConnectRequest request;
    private final PooledOpening opening;
    private @Nullable Tunnel tunnel;
    private @Nullable PendingConnect asked;
    private long deadlineNanos;
    private int attempts;
    private boolean cancelled;

    Checkout(TunnelPool pool, TunnelKey key, EventLoop loop, ConnectRequest request, PooledOpening opening) {
        this.pool = pool;
        this.key = key;
        this.loop = loop;
        this.request = request;
        this.opening = opening;
    }

    void askOn(Tunnel chosen) {
        attempts++;
        tunnel = chosen;
        asked = chosen.open(request, this);
    }

    /// @param nanos of the loop's ticker; until then it waits for a tunnel
    void waitUntil(long nanos) {
        deadlineNanos = nanos;
    }

    /// Meaningful while it waits. Differences only: the ticker's zero is anywhere.
    long deadlineNanos() {
        return deadlineNanos;
    }

    boolean isCancelled() {
        return cancelled;
    }

    @Override
    public void cancel() {
        cancelled = true;
        if (asked != null) {
            asked.cancel();
        } else {
            pool.forget(key, this);
        }
    }

    void fail(OpenFailure failure) {
        if (cancelled) {
            return;
        }
        try {
            opening.onFailed(failure);
        } catch (RuntimeException | Error bug) { // thrown on, those that wait behind this one would not be told
            opening.onBug(bug);
        }
    }

    void failLater(OpenFailure failure) {
        loop.execute(() -> fail(failure));
    }

    @Override
    public TunnelStream.Listener onOpened(TunnelStream stream, ConnectResponse response) {
        if (tunnel == null) {
            throw new IllegalStateException("a stream without a tunnel");
        }
        return opening.onOpened(tunnel, stream, response);
    }

    @Override
    public void onFailed(ConnectFailure failure) {
        asked = null;
        // No byte of the application is sent before the answer, so asking again when a tunnel was lost costs the
        // destination at most a connection that says nothing. Not asking would cost ours, each time a peer goes
        // away.
        boolean again = failure.mayRetry() || failure instanceof ConnectFailure.TunnelLost;
        if (again && attempts < MAX_ATTEMPTS && !cancelled) {
            pool.retry(key, this);
        } else {
            fail(new OpenFailure.ConnectFailed(failure));
        }
    }

    @Override
    public void onBug(Throwable cause) {
        opening.onBug(cause);
    }
}
