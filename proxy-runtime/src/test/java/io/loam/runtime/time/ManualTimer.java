package io.loam.runtime.time;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Time that moves when the test says so. Tasks run on the thread that moves it, in the order in which they are due.
/// Thread-safe.
public final class ManualTimer implements Timer {
    private record Task(long dueNanos, long sequence, Runnable task) {}

    private final List<Task> tasks = new ArrayList<>();
    private Instant wall = Instant.parse("2026-01-01T00:00:00Z");
    private long nanos;
    private long sequence;

    @Override
    public synchronized Instant now() {
        return wall;
    }

    @Override
    public synchronized Scheduled after(Duration delay, Runnable task) {
        var entry = new Task(nanos + Math.max(0, delay.toNanos()), sequence++, task);
        tasks.add(entry);
        notifyAll();
        return () -> {
            synchronized (this) {
                tasks.remove(entry);
            }
        };
    }

    /// Both clocks.
    public void advance(Duration by) {
        long end;
        synchronized (this) {
            end = nanos + by.toNanos();
        }
        while (true) {
            Task next;
            synchronized (this) {
                next = tasks.stream()
                        .filter(task -> task.dueNanos() <= end)
                        .min(Comparator.comparingLong(Task::dueNanos).thenComparingLong(Task::sequence))
                        .orElse(null);
                long to = next == null ? end : Math.max(nanos, next.dueNanos());
                wall = wall.plusNanos(to - nanos);
                nanos = to;
                if (next == null) {
                    return;
                }
                tasks.remove(next);
            }
            next.task().run();
        }
    }

    /// The wall clock alone, as when somebody sets it.
    public synchronized void jump(Duration by) {
        wall = wall.plus(by);
    }

    /// How long until each waiting task is due, soonest first.
    public synchronized List<Duration> waiting() {
        return tasks.stream()
                .map(task -> Duration.ofNanos(task.dueNanos() - nanos))
                .sorted()
                .toList();
    }

    /// Blocks until a task waits; for clients with a thread of their own.
    ///
    /// @throws AssertionError after 10 s
    public synchronized Duration awaitWaiting() throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (tasks.isEmpty()) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                throw new AssertionError("nothing was scheduled within 10 s");
            }
            wait(left);
        }
        return waiting().getFirst();
    }
}
