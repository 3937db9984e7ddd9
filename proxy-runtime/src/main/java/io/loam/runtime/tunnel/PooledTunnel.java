package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.Tunnel;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A tunnel in the pool, and when it was last used.
final class PooledTunnel {
    private final Tunnel tunnel;
    private final PoolParts parts;
    private @Nullable Future<?> idleCheck;
    private long lastCheckoutNanos;

    PooledTunnel(Tunnel tunnel, PoolParts parts) {
        this.tunnel = tunnel;
        this.parts = parts;
        this.lastCheckoutNanos = now();
    }

    boolean hasRoom() {
        return !tunnel.isDraining()
                && tunnel.activeStreams()
                        < Math.min(tunnel.maxStreams(), parts.config().maxStreamsPerTunnel());
    }

    void checkOut(Checkout checkout) {
        lastCheckoutNanos = now();
        if (!checkout.isCancelled()) {
            checkout.askOn(tunnel);
        }
    }

    void watchIdle() {
        checkIdleIn(parts.config().idleTimeout().toNanos());
    }

    void forgetIdle() {
        if (idleCheck != null) {
            idleCheck.cancel(false);
        }
    }

    private void checkIdleIn(long nanos) {
        idleCheck = parts.loop().schedule(this::releaseIfIdle, nanos, TimeUnit.NANOSECONDS);
    }

    private void releaseIfIdle() {
        long limit = parts.config().idleTimeout().toNanos();
        long unused = now() - lastCheckoutNanos;
        if (unused < limit) {
            checkIdleIn(limit - unused);
        } else if (tunnel.activeStreams() > 0) {
            checkIdleIn(limit);
        } else {
            tunnel.drain();
        }
    }

    void drain() {
        tunnel.drain();
    }

    void close() {
        tunnel.close();
    }

    private long now() {
        return parts.loop().ticker().nanoTime();
    }
}
