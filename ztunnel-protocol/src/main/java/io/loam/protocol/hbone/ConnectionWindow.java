package io.loam.protocol.hbone;

import io.netty.handler.codec.http2.DefaultHttp2LocalFlowController;
import io.netty.handler.codec.http2.Http2CodecUtil;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Stream;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/// The flow-control window of a whole connection: what a peer may send on all streams before it is credited.
///
/// Design. It begins with the 64 KiB that HTTP/2 gives every connection and doubles, up to the configured
/// size and with leave of the loop's {@link ReceiveBudget}, for two reasons: applications took half of it so
/// fast that a peer far away may be waiting for credit, or they left more than half of it untaken, so that
/// the others on the tunnel need more (hazard T7). A new TCP connection sends 14 KiB at first and doubles
/// with each round trip, so nobody waits longer for this than for that. It comes down by half when half of it
/// lasts for seconds, or when the budget is overdrawn.
///
/// All of that happens where a WINDOW_UPDATE was due anyway. What bulk costs per wake-up is one comparison.
///
/// What was advertised cannot be taken back: a smaller window is merely not refilled until the peer has come
/// down to it, and counts in full until then. A tunnel with next to no traffic would keep others from growing
/// in this way for hours, so what is out of it is not counted until it is used again.
///
/// Belongs to the tunnel's event loop. Allocates nothing.
final class ConnectionWindow {
    /// RFC 9113, 6.9.2: of every connection, before it can say anything about it.
    static final int BASE_BYTES = Http2CodecUtil.DEFAULT_WINDOW_SIZE;

    /// A peer who waits for its window sends half of it in half a round trip: enough for the longest way
    /// round the earth.
    private static final long GROW_WITHIN_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    private static final long SHRINK_AFTER_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final long IDLE_AFTER_NANOS = TimeUnit.SECONDS.toNanos(10);

    /// Announced when half of it is taken, as the codec does by itself.
    private static final float USUAL_RATIO = DefaultHttp2LocalFlowController.DEFAULT_WINDOW_UPDATE_RATIO;

    /// The codec takes less than 1.
    private static final float MAX_RATIO = 0.98f;

    private static final int ALWAYS = Integer.MAX_VALUE;

    private final Http2Connection connection;
    private final int maxBytes;
    private final ReceiveBudget budget;
    private final LongSupplier nanoTime;
    private int sizeBytes = BASE_BYTES;

    /// Borrowed from the budget: no less than what the peer may make us hold beyond the base, but nothing
    /// while not {@link #counted}.
    private long lentBytes;

    private boolean counted = true;

    /// Below this rest of the window something has to be done.
    private int lowBytes = BASE_BYTES / 4;

    private long announcedNanos;
    private boolean open;

    ConnectionWindow(Http2Connection connection, int maxBytes, ReceiveBudget budget, LongSupplier nanoTime) {
        this.connection = connection;
        this.maxBytes = maxBytes;
        this.budget = budget;
        this.nanoTime = nanoTime;
    }

    /// The connection is there.
    void open() {
        open = true;
        announcedNanos = nanoTime.getAsLong() - GROW_WITHIN_NANOS;
    }

    /// The connection ended, and what was held goes with its streams.
    void close() {
        open = false;
        lend(0);
    }

    /// The codec wrote a WINDOW_UPDATE, for a stream or for the connection, because of what applications took.
    void onAnnounced() throws Http2Exception {
        if (!open || outBytes() != sizeBytes) { // not the connection's
            return;
        }
        long now = nanoTime.getAsLong();
        long took = now - announcedNanos;
        announcedNanos = now;
        boolean wasIdle = !counted; // how fast it was taken once it began is not known
        counted = true;
        lend(sizeBytes - BASE_BYTES);
        if ((took > SHRINK_AFTER_NANOS && !wasIdle) || budget.isOverdrawn()) {
            shrink();
        } else if (took <= GROW_WITHIN_NANOS && larger() > sizeBytes && budget.lendToReader(larger() - sizeBytes)) {
            grow();
        }
        fit();
    }

    /// Applications have had what came in this wake-up. What is written here leaves with the wake-up's flush.
    void onReadComplete() throws Http2Exception {
        if (flow().windowSize(whole()) < lowBytes && open) {
            onLow();
        }
    }

    private void onLow() throws Http2Exception {
        int held = heldBytes();
        if (!counted) {
            if (held < BASE_BYTES / 2) {
                return;
            }
            counted = true;
            lend(Math.max(outBytes(), sizeBytes) - BASE_BYTES);
        }
        // Refused now, it asks again with the next bytes or with the next PING.
        if (held > sizeBytes / 2 && larger() > sizeBytes && budget.lendBesideStopped(larger() - sizeBytes)) {
            grow();
        }
        fit();
    }

    /// Some seconds have passed.
    void onSecondsPassed() {
        if (lentBytes > 0 && nanoTime.getAsLong() - announcedNanos > IDLE_AFTER_NANOS && heldBytes() < BASE_BYTES / 2) {
            counted = false;
            lowBytes = ALWAYS;
            lend(0);
        }
    }

    private int larger() {
        return (int) Math.min(maxBytes, 2L * sizeBytes);
    }

    /// By what was lent just now.
    private void grow() throws Http2Exception {
        lentBytes += larger() - sizeBytes;
        resize(larger());
    }

    /// Not where those who read would have nothing left beside what is held.
    private void shrink() throws Http2Exception {
        if (heldBytes() <= sizeBytes / 4) {
            resize(Math.max(BASE_BYTES, sizeBytes / 2));
        }
    }

    private void resize(int bytes) throws Http2Exception {
        int by = bytes - sizeBytes;
        if (by != 0) {
            sizeBytes = bytes;
            flow().incrementWindowSize(whole(), by); // tells the peer, if it is more
        }
    }

    /// What is held and what was taken and not announced yet could add up to all there is, and nothing would
    /// ever move again: the more is held, the sooner the rest is announced.
    private void fit() throws Http2Exception {
        lowBytes = sizeBytes / 4;
        float held = heldBytes();
        float ratio = held < lowBytes ? USUAL_RATIO : Math.min(MAX_RATIO, (1 + held / sizeBytes) / 2);
        if (flow().windowUpdateRatio(whole()) != ratio) {
            flow().windowUpdateRatio(whole(), ratio);
        }
    }

    /// Whatever the limit.
    private void lend(long bytes) {
        budget.change(bytes - lentBytes);
        lentBytes = bytes;
    }

    /// The codec makes no other.
    private DefaultHttp2LocalFlowController flow() {
        return (DefaultHttp2LocalFlowController) connection.local().flowController();
    }

    private Http2Stream whole() {
        return connection.connectionStream();
    }

    /// Sent, and taken by no application yet.
    private int heldBytes() {
        return flow().unconsumedBytes(whole());
    }

    /// What the peer may make us hold.
    private int outBytes() {
        return flow().windowSize(whole()) + heldBytes();
    }
}
