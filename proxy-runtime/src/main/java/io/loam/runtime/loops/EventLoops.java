package io.loam.runtime.loops;

import io.loam.protocol.linux.ThreadScheduling;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The threads that move bytes: one event loop per worker for application traffic, and one more that gRPC and the
/// admin endpoints share, so that a large configuration dump never delays a connection.
@SuppressWarnings("FutureReturnValueIgnored") // nobody waits for the end of the loops: the process ends with them
public final class EventLoops implements AutoCloseable {
    private final EventLoopGroup workers;
    private final EventLoopGroup control;
    private final List<EventLoop> loops;

    /// @param workerCount at least 1
    public EventLoops(int workerCount) {
        workers = new MultiThreadIoEventLoopGroup(workerCount, new WorkerThreads(), EpollIoHandler.newFactory());
        control = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory("loam-control", true), EpollIoHandler.newFactory());
        var list = new ArrayList<EventLoop>(workerCount);
        for (EventExecutor executor : workers) {
            list.add((EventLoop) executor);
        }
        loops = List.copyOf(list);
    }

    /// The loops of application traffic. Each listener exists once per loop.
    public List<EventLoop> workers() {
        return loops;
    }

    /// The loop of gRPC and the admin endpoints.
    public EventLoopGroup control() {
        return control;
    }

    /// Every loop, for who watches over them.
    public List<EventLoop> all() {
        var all = new ArrayList<>(loops);
        for (EventExecutor executor : control) {
            all.add((EventLoop) executor);
        }
        return all;
    }

    /// A worker that is woken interrupts nobody. What wakes it is a program of the pod, or another worker, that
    /// writes: interrupted at once, that one has the rest of its turn behind two switches of the processor, and
    /// the worker finds one request where a moment later there are several. On two cores 5,000 requests/s take a
    /// third less CPU and time so; beside programs that compute without a pause the median takes a quarter longer.
    private static final class WorkerThreads extends DefaultThreadFactory {
        private static final Logger log = LoggerFactory.getLogger(EventLoops.class);

        WorkerThreads() {
            super("loam-worker", true);
        }

        @Override
        protected Thread newThread(Runnable loop, String name) {
            return super.newThread(() -> interruptNobodyIn(loop), name);
        }

        /// Where a sandbox forbids it, workers are as fast as other programs.
        private static void interruptNobodyIn(Runnable loop) {
            try {
                ThreadScheduling.interruptNobody();
            } catch (IOException e) {
                log.warn(
                        "workers run with the scheduling policy of other programs, which costs more CPU: {}",
                        e.getMessage());
            }
            loop.run();
        }
    }

    /// Stops all loops without waiting for open connections: those were drained before, or their time is over.
    @Override
    public void close() {
        workers.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        control.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
