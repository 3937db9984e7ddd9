package io.loam.lab.node;

import io.loam.config.cluster.ClusterState;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Applies states on a thread of its own, the newest one only; what fails is tried again after a second.
final class LatestState implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LatestState.class);
    private static final Duration RETRY_AFTER = Duration.ofSeconds(1);

    private final String name;
    private final Task task;
    private final AtomicReference<@Nullable Offer> newest = new AtomicReference<>();
    private final Semaphore offered = new Semaphore(0);
    private final Thread thread;
    private final AtomicLong offers = new AtomicLong();
    private volatile long applied;

    private record Offer(long number, ClusterState state) {}

    @FunctionalInterface
    interface Task {
        void apply(ClusterState state) throws IOException;
    }

    LatestState(String name, Task task) {
        this.name = name;
        this.task = task;
        this.thread = Thread.ofVirtual().name(name).start(this::run);
    }

    void offer(ClusterState state) {
        newest.set(new Offer(offers.incrementAndGet(), state));
        offered.release();
    }

    boolean isUpToDate() {
        return applied > 0 && applied == offers.get();
    }

    private void run() {
        try {
            while (true) {
                offered.acquire();
                offered.drainPermits();
                var offer = newest.get();
                if (offer == null) {
                    continue;
                }
                try {
                    task.apply(offer.state);
                    applied = offer.number;
                } catch (IOException | RuntimeException | Error e) {
                    LOG.error("{}: not applied, tried again in {} s", name, RETRY_AFTER.toSeconds(), e);
                    Thread.sleep(RETRY_AFTER);
                    offered.release();
                }
            }
        } catch (InterruptedException _) {
            // Closed.
        }
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
