package io.loam.lab.node;

import io.loam.config.cluster.ClusterState;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Semaphore;
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
    private final AtomicReference<@Nullable ClusterState> newest = new AtomicReference<>();
    private final Semaphore offered = new Semaphore(0);
    private final Thread thread;
    private volatile @Nullable ClusterState applied;

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
        newest.set(state);
        offered.release();
    }

    boolean isUpToDate() {
        return applied != null && applied == newest.get();
    }

    private void run() {
        try {
            while (true) {
                offered.acquire();
                offered.drainPermits();
                var state = newest.get();
                if (state == null) {
                    continue;
                }
                try {
                    task.apply(state);
                    applied = state;
                } catch (IOException | RuntimeException e) {
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
