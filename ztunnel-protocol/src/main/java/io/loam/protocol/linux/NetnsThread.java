package io.loam.protocol.linux;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// A platform thread that lives in a namespace, for blocking work that needs more than one socket: JDK sockets, name
/// look-ups, child processes that inherit the namespace. The thread ends with this object and never leaves the
/// namespace.
public final class NetnsThread implements AutoCloseable {
    private final ExecutorService executor;

    private NetnsThread(ExecutorService executor) {
        this.executor = executor;
    }

    /// @param netns stays the caller's; may be closed once this method has returned
    /// @throws IOException if the namespace cannot be entered
    public static NetnsThread start(Netns netns, String name) throws IOException {
        var executor = Executors.newSingleThreadExecutor(
                Thread.ofPlatform().daemon().name(name).factory());
        try {
            executor.submit(() -> {
                        netns.enter();
                        return netns;
                    })
                    .get();
            return new NetnsThread(executor);
        } catch (ExecutionException e) {
            executor.shutdown();
            throw new IOException("cannot enter " + netns, e.getCause());
        } catch (InterruptedException e) {
            executor.shutdownNow();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while entering " + netns, e);
        }
    }

    /// Runs `task` inside, after the tasks submitted before it.
    public <T> Future<T> submit(Callable<T> task) {
        return executor.submit(task);
    }

    /// As {@link #submit}, as a future that can be continued.
    public <T> CompletableFuture<T> call(Callable<T> task) {
        var result = new CompletableFuture<T>();
        executor.execute(() -> {
            try {
                result.complete(task.call());
            } catch (Throwable e) { // belongs to whoever waits for the result
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    /// Interrupts the running task and drops the waiting ones.
    @Override
    public void close() {
        executor.shutdownNow();
    }
}
