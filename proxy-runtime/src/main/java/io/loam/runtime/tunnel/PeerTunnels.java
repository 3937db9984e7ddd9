package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.Tunnel;
import io.netty.util.concurrent.Future;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The tunnels to one peer, in the order they were made. A stream takes the first that has room, so that a second
/// tunnel is used only while the first is full, and can go when it is idle.
///
/// At most one dial is in progress (hazard T16; wire reference, 2.6). Everybody who finds no room waits for it. When it
/// succeeds they share the new tunnel as far as its limit goes, and the rest wait for the next dial. When it fails they
/// share the failure: a refusal is news for who came a moment ago, too. That nothing came in its time is none. Each who
/// waits has that time for itself, so who joined late goes on with the next dial, and only who had all of it fails.
final class PeerTunnels {
    private final TunnelKey key;
    private final PoolParts parts;
    private final RunningDial.Maker dials;
    private final Consumer<PeerTunnels> whenUnused;
    private final List<PooledTunnel> tunnels = new ArrayList<>();
    private final ArrayDeque<Checkout> waiting = new ArrayDeque<>();
    private @Nullable RunningDial dial;

    /// Looks for those whose time is over; there while somebody waits for a dial.
    private @Nullable Future<?> expiry;

    private boolean serving;
    private boolean draining;

    /// @param whenUnused is given this object when it has no tunnel, no dial and nobody who waits; it is not asked any
    ///     more afterwards
    PeerTunnels(TunnelKey key, PoolParts parts, RunningDial.Maker dials, Consumer<PeerTunnels> whenUnused) {
        this.key = key;
        this.parts = parts;
        this.dials = dials;
        this.whenUnused = whenUnused;
    }

    int tunnels() {
        return tunnels.size();
    }

    int waiting() {
        return waiting.size();
    }

    void enqueue(Checkout checkout) {
        if (waiting.size() >= parts.config().maxWaiting()) {
            checkout.failLater(new OpenFailure.TooManyWaiting(waiting.size()));
            return;
        }
        checkout.waitUntil(deadline());
        waiting.addLast(checkout);
        serve();
    }

    /// Asks again, before those that came later. The time begins anew: what it had went by in a tunnel.
    void retry(Checkout checkout) {
        checkout.waitUntil(deadline());
        waiting.addFirst(checkout);
        serve();
    }

    void forget(Checkout cancelled) {
        waiting.remove(cancelled);
        forgetExpiryIfNobodyWaits();
        removeIfUnused();
    }

    private void serve() {
        if (serving) {
            return; // a tunnel said that it has room while we were asking it
        }
        serving = true;
        try {
            while (!waiting.isEmpty()) {
                var tunnel = firstWithRoom();
                if (tunnel == null) {
                    watchExpiry();
                    dialIfNone();
                    if (dial != null) {
                        return;
                    }
                    continue; // it failed at once, and one of those who were told so came again
                }
                tunnel.checkOut(waiting.removeFirst());
            }
            forgetExpiryIfNobodyWaits();
        } finally {
            serving = false;
        }
    }

    private @Nullable PooledTunnel firstWithRoom() {
        for (int i = 0;
                i < tunnels.size();
                i++) { // an index, because an iterator would be allocated for each connection
            var tunnel = tunnels.get(i);
            if (tunnel.hasRoom()) {
                return tunnel;
            }
        }
        return null;
    }

    private void dialIfNone() {
        if (dial == null) {
            var next = dials.make(key, parts, this);
            dial = next;
            next.start();
        }
    }

    // --- the time of those who wait ---

    private long now() {
        return parts.loop().ticker().nanoTime();
    }

    private long deadline() {
        return now() + parts.config().connectTimeout().toNanos();
    }

    private void watchExpiry() {
        if (expiry == null) {
            watchExpiryIn(parts.config().connectTimeout().toNanos());
        }
    }

    private void watchExpiryIn(long nanos) {
        expiry = parts.loop().schedule(this::expire, nanos, TimeUnit.NANOSECONDS);
    }

    private void forgetExpiryIfNobodyWaits() {
        if (expiry != null && waiting.isEmpty()) {
            expiry.cancel(false);
            expiry = null;
        }
    }

    private void expire() {
        expiry = null;
        var expired = takeExpired();
        if (!waiting.isEmpty()) {
            watchExpiryIn(soonestExpiryNanos());
        }
        fail(expired, timedOut());
        removeIfUnused();
    }

    /// All are looked at, because one that asks again stands in front of those whose time ends earlier.
    private List<Checkout> takeExpired() {
        long now = now();
        var expired = new ArrayList<Checkout>();
        waiting.removeIf(checkout -> checkout.deadlineNanos() - now <= 0 && expired.add(checkout));
        return expired;
    }

    private long soonestExpiryNanos() {
        long now = now();
        long soonest = Long.MAX_VALUE;
        for (var checkout : waiting) {
            soonest = Math.min(soonest, checkout.deadlineNanos() - now);
        }
        return soonest;
    }

    private OpenFailure timedOut() {
        return new OpenFailure.TimedOut(
                dial == null ? "tunnel" : dial.phase(),
                parts.config().connectTimeout().toMillis());
    }

    // --- what a dial says ---

    void onDialled(Tunnel tunnel) {
        dial = null;
        if (tunnel.maxStreams() < 1) {
            tunnel.close();
            failWaiting(new OpenFailure.SetupFailed("peer allows no streams"));
            return;
        }
        var pooled = new PooledTunnel(tunnel, parts);
        tunnels.add(pooled);
        var _ = tunnel.channel().closeFuture().addListener(_ -> remove(pooled));
        pooled.watchIdle();
        renewWaiting(); // before the next dial begins, or that would end a moment before their time
        serve();
        if (draining) {
            pooled.drain();
        }
    }

    /// Time in which tunnels are made does not count: who stands so far back that this one will be full waits for a
    /// dial that has not begun.
    private void renewWaiting() {
        long deadline = deadline();
        for (var checkout : waiting) {
            checkout.waitUntil(deadline);
        }
    }

    void onDialFailed(OpenFailure failure) {
        dial = null;
        failWaiting(failure);
    }

    /// For whom it was made has had its time, to the last; who came later goes on with the next.
    void onDialTimedOut() {
        var failure = timedOut();
        dial = null;
        var expired = takeExpired();
        serve();
        fail(expired, failure);
        removeIfUnused();
    }

    private void failWaiting(OpenFailure failure) {
        var failed = List.copyOf(waiting);
        waiting.clear(); // those that come while these are told belong to the next dial
        forgetExpiryIfNobodyWaits();
        fail(failed, failure);
        removeIfUnused();
    }

    private static void fail(List<Checkout> checkouts, OpenFailure failure) {
        checkouts.forEach(checkout -> checkout.fail(failure));
    }

    // --- what a tunnel says ---

    void onRoom() {
        serve();
    }

    private void remove(PooledTunnel gone) {
        gone.forgetIdle();
        tunnels.remove(gone);
        if (!waiting.isEmpty()) {
            serve();
        }
        removeIfUnused();
    }

    private void removeIfUnused() {
        if (tunnels.isEmpty() && waiting.isEmpty() && dial == null) {
            whenUnused.accept(this);
        }
    }

    /// Who waits goes on waiting: for a dial, or for room that there is not.
    void retire() {
        List.copyOf(tunnels).forEach(PooledTunnel::drain);
    }

    /// Whoever waits gets its tunnel, and so does who comes late; no tunnel is kept for others.
    void drain() {
        draining = true;
        List.copyOf(tunnels).forEach(PooledTunnel::drain);
    }

    void close() {
        if (dial != null) {
            dial.cancel();
            dial = null;
        }
        failWaiting(new OpenFailure.PoolClosed());
        List.copyOf(tunnels).forEach(PooledTunnel::close);
    }
}
