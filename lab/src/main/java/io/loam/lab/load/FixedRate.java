package io.loam.lab.load;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Exchanges that begin at a fixed rate, whether the ones before have been answered or not: who is held up makes nobody
/// else wait (open loop). The methods may be called by any thread.
///
/// @param <T> how an exchange ended
public final class FixedRate<T extends FixedRate.Outcome> implements AutoCloseable {
    private static final int LOOK_MILLIS = 10;

    private final Duration patience;
    private final Opener<T> opener;
    private final long intervalNanos;
    private final ConcurrentLinkedQueue<T> outcomes = new ConcurrentLinkedQueue<>();
    private final Phaser underWay = new Phaser(1);
    private final Thread starter;
    private volatile boolean stopped;
    private volatile long lastAnswered = System.nanoTime();

    /// One exchange that is over.
    public interface Outcome {
        /// When it really began, in nanoTime.
        long begun();

        /// Null if the answer came, whole.
        @Nullable
        String failure();
    }

    /// Opens the socket of one exchange.
    @FunctionalInterface
    public interface Opener<T> {
        /// Runs on one platform thread for all, which may enter a pod's namespace and must not wait for an answer.
        ///
        /// @param due when the exchange was to begin, in nanoTime
        /// @return the rest of it, run on a virtual thread of its own
        Supplier<T> open(long due);
    }

    private FixedRate(int perSecond, Duration patience, Opener<T> opener) {
        this.patience = patience;
        this.opener = opener;
        this.intervalNanos = TimeUnit.SECONDS.toNanos(1) / perSecond;
        this.starter = Thread.ofPlatform().daemon().name("fixed-rate").unstarted(this::run);
    }

    /// @param patience after which each exchange ends by itself
    public static <T extends Outcome> FixedRate<T> start(int perSecond, Duration patience, Opener<T> opener) {
        var load = new FixedRate<>(perSecond, patience, opener);
        load.starter.start();
        return load;
    }

    private void run() {
        long due = System.nanoTime();
        while (!stopped) {
            long wait = due - System.nanoTime();
            if (wait > 0) {
                LockSupport.parkNanos(wait);
                continue;
            }
            underWay.register();
            var rest = opener.open(due);
            Thread.ofVirtual().start(() -> finish(rest));
            due += intervalNanos;
        }
    }

    private void finish(Supplier<T> rest) {
        try {
            var outcome = rest.get();
            outcomes.add(outcome);
            if (outcome.failure() == null) {
                lastAnswered = Math.max(lastAnswered, outcome.begun());
            }
        } finally {
            underWay.arriveAndDeregister();
        }
    }

    /// Waits until an exchange that began after this moment has been answered.
    ///
    /// @throws TimeoutException if none is within the patience for one
    public void awaitAnswerTo(long begunAfter) throws InterruptedException, TimeoutException {
        long deadline = System.nanoTime() + patience.toNanos();
        while (lastAnswered - begunAfter <= 0) {
            if (System.nanoTime() - deadline > 0) {
                throw new TimeoutException("nothing that was begun since was answered within " + patience);
            }
            Thread.sleep(LOOK_MILLIS);
        }
    }

    /// Begins no more and waits for those under way.
    ///
    /// @return all of them
    /// @throws TimeoutException if one neither ends nor fails
    public List<T> stop() throws InterruptedException, TimeoutException {
        if (!stopped) {
            stopped = true;
            starter.join();
            int phase = underWay.arriveAndDeregister();
            underWay.awaitAdvanceInterruptibly(phase, 2 * patience.toMillis(), TimeUnit.MILLISECONDS);
        }
        return List.copyOf(outcomes);
    }

    @Override
    public void close() {
        try {
            stop();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } catch (TimeoutException e) {
            throw new IllegalStateException("exchanges that neither end nor fail", e);
        }
    }
}
