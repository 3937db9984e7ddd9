package io.loam.it.bench;

import io.loam.protocol.linux.Netns;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;

/// Short connections from a pod to a redis, one after the other in a few threads, until it is closed: open, ask, close.
public final class Load implements AutoCloseable {
    private static final Duration PACE = Duration.ofMillis(4);

    private final Netns inside;
    private final InetAddress to;
    private final String token;
    private final List<Thread> threads = new ArrayList<>();
    private final LongAdder succeeded = new LongAdder();
    private final ConcurrentLinkedQueue<Failure> failures = new ConcurrentLinkedQueue<>();
    private volatile boolean closed;
    private volatile long lastSuccess = System.nanoTime();
    private volatile long longestGap;

    /// @param at nanoTime
    public record Failure(long at, String reason) {}

    private Load(Netns inside, InetAddress to, String token) {
        this.inside = inside;
        this.to = to;
        this.token = token;
    }

    /// @param token what is asked for each time, to be looked for on links
    public static Load start(Path netns, InetAddress to, int threads, String token) throws IOException {
        var load = new Load(Netns.open(netns), to, token);
        for (int i = 0; i < threads; i++) {
            load.threads.add(Thread.ofPlatform().daemon().name("load-" + i).start(load::run));
        }
        return load;
    }

    private void run() {
        while (!closed) {
            try (var connection = PodConnection.open(inside, to, 6379)) {
                var answer = connection.ask("PING " + token);
                if (answer.equals(token)) {
                    succeed();
                } else {
                    failures.add(new Failure(System.nanoTime(), "answer " + answer));
                }
            } catch (IOException e) {
                failures.add(new Failure(System.nanoTime(), e.toString()));
            }
            LockSupport.parkNanos(PACE.toNanos());
        }
    }

    private synchronized void succeed() {
        long now = System.nanoTime();
        longestGap = Math.max(longestGap, now - lastSuccess);
        lastSuccess = now;
        succeeded.increment();
    }

    public long succeeded() {
        return succeeded.sum();
    }

    public List<Failure> failures() {
        return List.copyOf(failures);
    }

    /// The longest time between two answers.
    public Duration longestGap() {
        return Duration.ofNanos(longestGap);
    }

    /// Waits until so many more requests have been answered.
    public void awaitMore(int requests) throws Exception {
        long wanted = succeeded() + requests;
        MeshBench.await("answers under load; failures: " + failures.peek(), () -> succeeded() >= wanted);
    }

    /// Ends it; what is under way is finished.
    public void stop() throws InterruptedException {
        closed = true;
        for (var thread : threads) {
            thread.join(Duration.ofSeconds(15));
        }
        inside.close();
    }

    @Override
    public void close() {
        try {
            if (!closed) {
                stop();
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
