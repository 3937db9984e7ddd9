package io.loam.controlplane.push;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Hands the newest of a burst of values to one worker, on a thread of its own. The first value ever is handed on
/// at once.
public final class Coalescer<T> implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Coalescer.class);

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final PushSchedule schedule;
    private final Consumer<T> worker;
    private final LongSupplier nanoClock;
    private final Thread thread;
    private @Nullable T newest;
    private boolean first = true;
    private boolean closed;

    private Coalescer(String name, Duration quiet, Duration longestWait, LongSupplier nanoClock, Consumer<T> worker) {
        this.schedule = new PushSchedule(quiet, longestWait);
        this.nanoClock = nanoClock;
        this.worker = worker;
        this.thread = Thread.ofPlatform().name(name).daemon().unstarted(this::run);
    }

    /// @param worker an exception it throws is logged and ends only the work on that value
    /// @param nanoClock `System::nanoTime`, or a test's
    public static <T> Coalescer<T> start(
            String name, Duration quiet, Duration longestWait, LongSupplier nanoClock, Consumer<T> worker) {
        var coalescer = new Coalescer<>(name, quiet, longestWait, nanoClock, worker);
        coalescer.thread.start();
        return coalescer;
    }

    /// Never blocks for the worker. After {@link #close} without effect.
    public void offer(T value) {
        lock.lock();
        try {
            newest = value;
            schedule.changed(nanoClock.getAsLong());
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    /// Ends the thread, after the value in work.
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            changed.signal();
        } finally {
            lock.unlock();
        }
        try {
            thread.join(Duration.ofSeconds(5));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        for (var value = next(); value != null; value = next()) {
            try {
                worker.accept(value);
            } catch (RuntimeException | Error e) {
                LOG.error("{}: a change could not be worked in, what was in force stays", thread.getName(), e);
            }
        }
    }

    /// @return null when closed
    private @Nullable T next() {
        lock.lock();
        try {
            while (!closed) {
                if (!schedule.isPending()) {
                    changed.awaitUninterruptibly();
                    continue;
                }
                long nanos = first ? 0 : schedule.nanosUntilDue(nanoClock.getAsLong());
                if (nanos <= 0) {
                    first = false;
                    schedule.taken();
                    return newest;
                }
                var _ = changed.await(nanos, TimeUnit.NANOSECONDS);
            }
            return null;
        } catch (InterruptedException _) { // nobody but the end of the process interrupts this thread
            return null;
        } finally {
            lock.unlock();
        }
    }
}
